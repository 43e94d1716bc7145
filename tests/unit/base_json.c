/* SPDX-License-Identifier: MIT */
/* Values as JSON. */
#include "check.h"

#include "lib/base/base.h"

#include <jansson.h>
#include <string.h>

static void assert_json(const char *text, const char *expected)
{
	json_t *value = sg_json_string(text);

	assert_string_equal(json_string_value(value), expected);
	json_decref(value);
}

static void test_strings(void **state)
{
	(void)state;
	assert_json("", "");
	assert_json("/etc/ntp.conf", "/etc/ntp.conf");
	assert_json("caf\xc3\xa9 \n", "caf\xc3\xa9 \n");
	assert_json("caf\xe9\xff.conf", "caf??.conf");
	/* One bad byte, and nothing but ASCII is left. */
	assert_json("\xc3\xa9\xff", "???");
}

static void test_none(void **state)
{
	json_t *value = sg_json_string(NULL);

	(void)state;
	assert_true(json_is_null(value));
	json_decref(value);
}

static void test_seconds(void **state)
{
	json_t *value = sg_json_seconds(true, -1500000);
	json_t *none = sg_json_seconds(false, 1);

	(void)state;
	assert_true(json_real_value(value) == -1.5);
	assert_true(json_is_null(none));
	json_decref(value);
	json_decref(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
