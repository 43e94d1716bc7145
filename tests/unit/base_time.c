/* SPDX-License-Identifier: MIT */
/* Times as text, both ways. */
#include "check.h"

#include "lib/base/base.h"

#include <string.h>

static const struct {
	const char *text;
	sg_usec time;
	const char *written; /* NULL: as it was read */
} times[] = {
	{"1970-01-01T00:00:00Z", 0, NULL},
	{"2026-11-23T01:02:03Z", 1795395723000000, NULL},
	{"2026-11-23T01:02:03.5Z", 1795395723500000, NULL},
	{"2026-11-23T01:02:03.000001Z", 1795395723000001, NULL},
	{"2026-11-23t01:02:03z", 1795395723000000, "2026-11-23T01:02:03Z"},
	{"2026-11-23 02:02:03+01:00", 1795395723000000, "2026-11-23T01:02:03Z"},
	{"2026-11-22T22:32:03-02:30", 1795395723000000, "2026-11-23T01:02:03Z"},
	{"2024-02-29T00:00:00Z", 1709164800000000, NULL},
	{"2016-12-31T23:59:60Z", 1483228800000000, "2017-01-01T00:00:00Z"},
	{"9999-12-31T23:59:59Z", SG_TIME_LAST, NULL},
	{"0", 0, "1970-01-01T00:00:00Z"},
	{"1795395723", 1795395723000000, "2026-11-23T01:02:03Z"},
	{"1795395723.25", 1795395723250000, "2026-11-23T01:02:03.25Z"},
	{"1795395723.0000019", 1795395723000001, "2026-11-23T01:02:03.000001Z"},
	{"253402300799", SG_TIME_LAST, "9999-12-31T23:59:59Z"},
};

static const char *const bad_times[] = {
	"",
	" ",
	"now",
	"-1",
	"+1",
	"1.",
	".5",
	"1e9",
	"0x10",
	"1 ",
	" 1",
	"253402300800",
	"99999999999999999999999",
	"2026-11-23",
	"2026-11-23T01:02:03",
	"2026-11-23T01:02Z",
	"2026-13-01T00:00:00Z",
	"2026-00-01T00:00:00Z",
	"2026-02-29T00:00:00Z",
	"2026-11-31T00:00:00Z",
	"2026-11-00T00:00:00Z",
	"2026-11-23T24:00:00Z",
	"2026-11-23T00:60:00Z",
	"2026-11-23T00:00:61Z",
	"2026-11-23T00:00:00.Z",
	"2026-11-23T00:00:00+1:00",
	"2026-11-23T00:00:00+01",
	"2026-11-23T00:00:00+24:00",
	"2026-11-23T00:00:00Zx",
	"1969-12-31T23:59:59Z",
	"1970-01-01T00:00:00+00:01",
	"9999-12-31T23:59:59-00:01",
	"02026-11-23T01:02:03Z",
};

static void test_read_and_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		struct sg_error error = {0};
		char written[SG_TIME_SIZE];
		sg_usec time = -1;

		assert_done(sg_time_parse(times[i].text, &time, &error), error);
		assert_int_equal(time, times[i].time);
		sg_time_format(time, written);
		assert_string_equal(written, times[i].written != NULL ? times[i].written
		                                                      : times[i].text);
	}
}

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_times / sizeof *bad_times; i++) {
		struct sg_error error = {0};
		sg_usec time = 0;

		if (sg_time_parse(bad_times[i], &time, &error) == 0)
			fail_msg("\"%s\" was taken", bad_times[i]);
		assert_string_equal(error.code, "bad-time");
	}
}

static void test_seconds(void **state)
{
	static const struct {
		sg_usec time;
		const char *text;
	} cases[] = {
		{0, "0"},
		{1, "0.000001"},
		{-1, "-0.000001"},
		{500000, "0.5"},
		{-1500000, "-1.5"},
		{10 * SG_SECOND, "10"},
		{SG_TIME_LAST + 999999, "253402300799.999999"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[SG_TIME_SIZE];

		sg_time_format_seconds(cases[i].time, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_rounded(void **state)
{
	static const struct {
		sg_usec time;
		unsigned decimals;
		const char *text;
	} cases[] = {
		{0, 1, "0.0"},        {0, 6, "0.000000"},
		{1, 6, "0.000001"},   {-1, 6, "-0.000001"},
		{49999, 1, "0.0"},    {50000, 1, "0.1"},
		{-49999, 1, "0.0"}, /* nothing is less than nothing */
		{-50000, 1, "-0.1"},  {10 * SG_SECOND, 3, "10.000"},
		{999999, 3, "1.000"}, {-9999950, 4, "-10.0000"},
		{300, 4, "0.0003"},   {SG_TIME_LAST, 3, "253402300799.000"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[SG_TIME_SIZE];

		sg_time_format_rounded(cases[i].time, cases[i].decimals, text);
		assert_string_equal(text, cases[i].text);
	}
}

/* It ends no earlier than it should; how much later is the machine's affair. */
static void test_sleep_until(void **state)
{
	sg_usec start = sg_time_elapsed();

	(void)state;
	sg_time_sleep_until(start - SG_SECOND);
	sg_time_sleep_until(start + SG_SECOND / 50);
	assert_true(sg_time_elapsed() >= start + SG_SECOND / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_and_written), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_seconds),          cmocka_unit_test(test_rounded),
		cmocka_unit_test(test_sleep_until),
	};

	return cmocka_run_group_tests_name("base_time", tests, NULL, NULL);
}
