/* SPDX-License-Identifier: MIT */
/*
 * What ntpd says of itself, by an ntpq that prints what ntpsec's and the
 * classic one print: which source it follows is taken from there, and an answer
 * that does not tell whether the clock is synchronised is none.
 */
#include "check.h"

#include "lib/daemon/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/skewgate-ntpq-XXXXXX";

#define HEAD                                                                   \
	"     remote           refid      st t when poll reach   delay   offset\n" \
	"=====================================================================\n"
#define ROW(name) name "   .GPS.    1 u    3   16  377   0.2531  -0.0150\n"
#define STATUS                                                                 \
	"associd=0 status=0615 leap_none, sync_ntp, 1 event, clock_sync,\n"
#define VARIABLES                                                              \
	"version=\"ntpd ntpsec-1.2.2\", processor=\"x86_64\",\n"                   \
	"system=\"Linux/6.1.0\", leap=00, stratum=4, precision=-23,\n"             \
	"refid=169.254.169.123, tc=4, peer=7033, leapsec=\"2017-01-01\"\n"

struct answer {
	const char *name;
	const char *output;
	int leap;
	const char *event;
	const char *selected;
	bool clock;
	const char *sources; /* joined by spaces */
};

static const struct answer answers[] = {
	{"synchronised",
     HEAD "0.debian.pool.n .POOL.  16 p    -   64    0   0.0000   0.0000\n" ROW(
		 "*169.254.169.123") ROW("+192.0.2.1") ROW("x192.0.2.2")
         STATUS VARIABLES,
     0, "clock_sync", "169.254.169.123", false,
     "169.254.169.123 192.0.2.1 192.0.2.2"},
	{"it measures the frequency",
     HEAD ROW("*169.254.169.123") "associd=0 status=c014 leap_alarm, "
                                  "sync_unspec, 1 event, freq_mode,\n"
                                  "leap=11, stratum=4\n",
     3, "freq_mode", "169.254.169.123", false, "169.254.169.123"},
	{"it has stepped the clock",
     HEAD ROW("*169.254.169.123") "associd=0 status=c018 leap_alarm, "
                                  "sync_unspec, 1 event, no_sys_peer,\n"
                                  "leap=11, stratum=4\n",
     3, "no_sys_peer", "169.254.169.123", false, "169.254.169.123"},
	{"it has just been started",
     HEAD ROW(" 169.254.169.123") "associd=0 status=c016 leap_alarm, "
                                  "sync_unspec, 1 event, restart,\n"
                                  "leap=11, stratum=16\n",
     3, "restart", "", false, "169.254.169.123"},
	{"an answer of old",
     HEAD ROW(
		 "*192.0.2.1") "assID=0 status=4654 leap_add_sec, sync_ntp, 5 events,\n"
                       "leap=01, stratum=4\n",
     1, "", "192.0.2.1", false, "192.0.2.1"},
	{"a leap second is taken away",
     HEAD "associd=0 status=8615 leap_del_sec, sync_ntp, 1 event, "
          "clock_sync,\r\nleap=10\r\n",
     2, "clock_sync", "", false, ""},
	{"an event that would spoil a log",
     HEAD
     "associd=0 status=0615 leap_none, sync_ntp, 1 event, freq_mode\x1b[m,\n"
     "leap=00\n",
     0, "", "", false, ""},
	{"an event without an end",
     HEAD "associd=0 status=0615 leap_none, sync_ntp, 1 event, "
          "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz,\nleap=00\n",
     0, "", "", false, ""},
	{"a pulse beside a server",
     HEAD ROW("oPPS(0)") ROW("*169.254.169.123") ROW("o192.0.2.1")
         STATUS VARIABLES,
     0, "clock_sync", "169.254.169.123", false, "169.254.169.123 192.0.2.1"},
	{"a pulse alone", HEAD ROW("+192.0.2.1") ROW("oPPS(0)") STATUS VARIABLES, 0,
     "clock_sync", "PPS(0)", true, "192.0.2.1"},
	{"a server with a pulse", HEAD ROW("o192.0.2.1") STATUS VARIABLES, 0,
     "clock_sync", "192.0.2.1", false, "192.0.2.1"},
	{"a reference clock, by ntpsec", HEAD ROW("*PHC0") STATUS VARIABLES, 0,
     "clock_sync", "PHC0", true, ""},
	{"a reference clock, by the classic ntpq",
     HEAD ROW("*127.127.28.0") STATUS VARIABLES, 0, "clock_sync",
     "127.127.28.0", true, "127.127.28.0"},
	{"a reference clock beside the server",
     HEAD ROW(" SHM(0)") ROW("*169.254.169.123") STATUS VARIABLES, 0,
     "clock_sync", "169.254.169.123", false, "169.254.169.123"},
	{"long addresses have a line to themselves",
     HEAD
     "*fd00:ec2::123\n"
     "                .GPS.    1 u    3   16  377   0.2531  -0.0150\n"
     "+fe80::1234:5678:9abc:def0%eth0\n"
     "                .GPS.    1 u    3   16  377   0.2531  -0.0150\n" STATUS
         VARIABLES,
     0, "clock_sync", "fd00:ec2::123", false,
     "fd00:ec2::123 fe80::1234:5678:9abc:def0%eth0"},
};

/* None of these tells whether the clock is synchronised. */
static const char *const mute[] = {
	"",
	"No association IDs returned\n",
	HEAD ROW("*169.254.169.123"),
	HEAD ROW("*169.254.169.123") STATUS,
	HEAD ROW("*169.254.169.123") STATUS "stratum=4, leapsec=00\n",
	HEAD ROW("*169.254.169.123") STATUS "leap=, stratum=4\n",
	HEAD ROW("*169.254.169.123") STATUS "leap=0, stratum=4\n",
	HEAD ROW("*169.254.169.123") STATUS "leap=22, stratum=4\n",
	HEAD ROW("*169.254.169.123") STATUS "leap=000, stratum=4\n",
	HEAD ROW("*169.254.169.123") STATUS "noleap=00, stratum=4\n",
};

/* Puts an ntpq first in the search path; it answers our question alone. */
static int enter(void **state)
{
	static const char script[] =
		"#!/bin/sh\n"
		"[ \"$*\" = '-n -w -c peers -c rv 0 127.0.0.1' ] || exit 1\n"
		"cat \"${0%/*}/answer\"\n";
	char path[64];

	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/ntpq", directory);
	FILE *file = fopen(path, "w");
	if (file == NULL || fputs(script, file) < 0 || fclose(file) != 0)
		return -1;
	snprintf(path, sizeof path, "%s:/usr/bin:/bin", directory);
	return setenv("PATH", path, 1) == 0 &&
	               snprintf(path, sizeof path, "%s/ntpq", directory) > 0
	           ? chmod(path, 0755)
	           : -1;
}

static int leave(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof path, "%s/ntpq", directory);
	unlink(path);
	snprintf(path, sizeof path, "%s/answer", directory);
	unlink(path);
	return rmdir(directory);
}

static int ask(const char *output, struct sg_ntpq *ntpq, struct sg_error *error)
{
	char path[64];

	snprintf(path, sizeof path, "%s/answer", directory);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(output, file);
	assert_int_equal(fclose(file), 0);
	return sg_ntpq_ask(NULL, ntpq, error);
}

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		const struct answer *answer = &answers[i];
		struct sg_ntpq ntpq = {0};
		struct sg_error error = {0};
		char sources[256] = "";

		if (ask(answer->output, &ntpq, &error) != 0)
			fail_msg("%s: [%s] %s", answer->name, error.code, error.text);
		for (size_t j = 0; j < ntpq.sources.count; j++)
			snprintf(sources + strlen(sources),
			         sizeof sources - strlen(sources), "%s%s",
			         j == 0 ? "" : " ", ntpq.sources.items[j]);
		if (ntpq.leap != answer->leap ||
		    strcmp(ntpq.event, answer->event) != 0 ||
		    strcmp(ntpq.selected, answer->selected) != 0 ||
		    ntpq.clock != answer->clock ||
		    strcmp(sources, answer->sources) != 0)
			fail_msg("%s: leap %d, event '%s', selected '%s'%s, sources '%s'",
			         answer->name, ntpq.leap, ntpq.event, ntpq.selected,
			         ntpq.clock ? " (a clock)" : "", sources);
		sg_texts_free(&ntpq.sources);
	}
}

static void test_mute(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mute / sizeof *mute; i++) {
		struct sg_ntpq ntpq = {0};
		struct sg_error error = {0};

		if (ask(mute[i], &ntpq, &error) == 0)
			fail_msg("leap %d was read from: %s", ntpq.leap, mute[i]);
		assert_string_equal(error.code, "ntpq-failed");
		assert_non_null(strstr(error.text, "restrict"));
		sg_texts_free(&ntpq.sources);
	}
}

static void test_judge(void **state)
{
	static const struct {
		struct sg_ntpq ntpq;
		enum sg_ntpq_word word;
	} cases[] = {
		{{.selected = "a", .leap = 0}, SG_NTPQ_FOLLOWS},
		{{.selected = "a", .leap = 2, .event = "freq_mode"}, SG_NTPQ_FOLLOWS},
		{{.selected = "a", .leap = 3, .event = "freq_mode"}, SG_NTPQ_PENDING},
		{{.selected = "a", .leap = 3, .event = "no_sys_peer"}, SG_NTPQ_PENDING},
		{{.selected = "a", .leap = 3, .event = "clock_step"}, SG_NTPQ_PENDING},
		{{.leap = 3, .event = "no_sys_peer"}, SG_NTPQ_NOT_SELECTED},
		{{.selected = "a", .leap = 3, .event = "restart"}, SG_NTPQ_LEAP_ALARM},
		{{.selected = "a", .leap = 3}, SG_NTPQ_LEAP_ALARM},
		{{.leap = 0}, SG_NTPQ_NOT_SELECTED},
		{{.leap = 3, .event = "freq_mode"}, SG_NTPQ_NOT_SELECTED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(sg_ntpq_judge(&cases[i].ntpq), cases[i].word);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_mute),
		cmocka_unit_test(test_judge),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
