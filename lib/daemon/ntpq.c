/* SPDX-License-Identifier: MIT */
/* What the running ntpd says of itself, through ntpq. */
#include "daemon.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* ntpq waits 5 s for an answer, and asks twice. */
#define LIMIT (12 * SG_SECOND)

/* The characters that ntpq sets before a source (ntpq(1), tally codes). */
#define TALLIES " x.-+#*o"

/* RFC 5905's leap indicator of a clock that is not synchronised. */
#define LEAP_ALARM 3

/* What the words for events are made of. */
#define EVENT_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

/* Addresses of this network stand for reference clocks (ntp.conf(5)). */
#define CLOCKS "127.127."

/* Whether `name` is an address, be it with the zone of a link-local one. */
static bool is_address(const char *name)
{
	char bare[INET6_ADDRSTRLEN];
	struct in6_addr address;
	size_t length = strcspn(name, "%");

	if (length >= sizeof bare)
		return false;
	memcpy(bare, name, length);
	bare[length] = '\0';
	return inet_pton(AF_INET, bare, &address) == 1 ||
	       inet_pton(AF_INET6, bare, &address) == 1;
}

/* Reads a row of the table of sources; in its wide form a long address has a
 * line to itself. */
static int read_source(const char *line, struct sg_ntpq *ntpq)
{
	sg_auto_free char *name = strndup(line + 1, strcspn(line + 1, " \t"));

	if (name == NULL)
		return -1;
	bool address = is_address(name);
	/* A pulse (`o`) ticks beside the source that tells which second it is. */
	if (line[0] == '*' || (line[0] == 'o' && ntpq->selected[0] == '\0')) {
		snprintf(ntpq->selected, sizeof ntpq->selected, "%s", name);
		/* ntpsec shows a clock's driver and unit, "PPS(0)", in place of an
		 * address; the names of pools are never selected. */
		ntpq->clock = !address || strncmp(name, CLOCKS, sizeof CLOCKS - 1) == 0;
	}
	return address ? sg_texts_add(&ntpq->sources, "%s", name) : 0;
}

/* Reads `associd=0 status=0014 leap_none, sync_unspec, 1 event, freq_mode,`. */
static void read_status(const char *line, struct sg_ntpq *ntpq)
{
	for (int i = 0; i < 3 && line != NULL; i++) {
		line = strchr(line, ',');
		if (line != NULL)
			line += 1 + strspn(line + 1, " ");
	}
	if (line == NULL)
		return;
	size_t length = strspn(line, EVENT_CHARACTERS);
	if (length < sizeof ntpq->event && line[length] == ',') {
		memcpy(ntpq->event, line, length);
		ntpq->event[length] = '\0';
	}
}

/* Reads `leap=11` among the variables of a line. */
static bool read_leap(const char *line, struct sg_ntpq *ntpq)
{
	static const char *const leaps[] = {"00", "01", "10", "11"};
	const char *found = strstr(line, "leap=");

	if (found == NULL || (found != line && found[-1] != ' '))
		return false;
	found += strlen("leap=");
	size_t length = strcspn(found, ", \r");
	for (size_t i = 0; i < sizeof leaps / sizeof *leaps; i++) {
		if (length != 2 || strncmp(found, leaps[i], 2) != 0)
			continue;
		ntpq->leap = (int)i;
		return true;
	}
	return false;
}

static int read_answer(char *output, struct sg_ntpq *ntpq,
                       struct sg_error *error)
{
	bool in_table = false;
	bool leap_known = false;
	char *rest = NULL;

	for (char *line = strtok_r(output, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, "====", 4) == 0) {
			in_table = true;
		} else if (strstr(line, " status=") != NULL) {
			in_table = false;
			read_status(line, ntpq);
		} else if (!in_table) {
			leap_known = read_leap(line, ntpq) || leap_known;
		} else if (strchr(TALLIES, line[0]) != NULL && line[1] != ' ' &&
		           line[1] != '\0' && read_source(line, ntpq) != 0) {
			return sg_fail_memory(error);
		}
	}
	return leap_known
	           ? 0
	           : sg_fail(error, "ntpq-failed",
	                     "ntpq did not get an answer from ntpd on 127.0.0.1; "
	                     "look at ntpd's log, and at its restrict lines");
}

enum sg_ntpq_word sg_ntpq_judge(const struct sg_ntpq *ntpq)
{
	/* The last thing that it has told of its own step: it began to measure the
	 * frequency, or it stepped, or it let go of all sources for that. One that
	 * may not set the clock says "restart". */
	static const char *const events[] = {"freq_mode", "clock_step",
	                                     "no_sys_peer"};

	if (ntpq->selected[0] == '\0')
		return SG_NTPQ_NOT_SELECTED;
	if (ntpq->leap != LEAP_ALARM)
		return SG_NTPQ_FOLLOWS;
	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (strcmp(ntpq->event, events[i]) == 0)
			return SG_NTPQ_PENDING;
	return SG_NTPQ_LEAP_ALARM;
}

int sg_ntpq_ask(const volatile sig_atomic_t *stop, struct sg_ntpq *ntpq,
                struct sg_error *error)
{
	static const char *const arguments[] = {
		"ntpq", "-n", "-w", "-c", "peers", "-c", "rv 0", "127.0.0.1", NULL,
	};
	struct sg_command command;

	int failed = sg_command_run(arguments, LIMIT, stop, &command, error);
	if (failed == 0) {
		failed = read_answer(command.output, ntpq, error);
	} else {
		char reason[SG_TEXT_SIZE / 2];

		snprintf(reason, sizeof reason, "%.500s", error->text);
		sg_fail(error, "ntpq-failed", "ntpd cannot be asked: %s", reason);
	}
	sg_command_free(&command);
	return failed;
}
