/* What the running ntpd says of itself, through ntpq. */
#include "timesync.h"

#include <stdio.h>
#include <string.h>

/* ntpq waits 5 s for an answer, and asks twice. */
#define LIMIT (12 * SG_SECOND)

/* The characters that ntpq sets before a source (ntpq(1), tally codes). */
#define TALLIES " x.-+#*o"

/* Reads a row of the table of sources; in its wide form a long address has a
 * line to itself. */
static int read_source(const char *line, struct sg_ntpq *ntpq)
{
	size_t length = strcspn(line + 1, " \t");
	sg_auto_free char *address = strndup(line + 1, length);

	if (address == NULL)
		return -1;
	/* Names of pools and of reference clocks are no addresses. */
	if (strspn(address, "0123456789abcdefABCDEF.:") != length || length == 0 ||
	    length >= sizeof ntpq->selected)
		return 0;
	if (line[0] == '*')
		memcpy(ntpq->selected, address, length + 1);
	return sg_texts_add(&ntpq->sources, "%s", address);
}

static int read_answer(char *output, struct sg_ntpq *ntpq,
                       struct sg_error *error)
{
	bool in_table = false;
	bool leap_known = false;
	char *rest = NULL;

	for (char *line = strtok_r(output, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		const char *leap = strstr(line, "leap=");

		if (strncmp(line, "====", 4) == 0) {
			in_table = true;
		} else if (leap != NULL) {
			in_table = false;
			leap_known = (leap[5] == '0' || leap[5] == '1') &&
			             (leap[6] == '0' || leap[6] == '1');
			ntpq->leap = (leap[5] - '0') * 2 + (leap[6] - '0');
		} else if (in_table && strchr(TALLIES, line[0]) != NULL &&
		           line[1] != ' ' && line[1] != '\0' &&
		           read_source(line, ntpq) != 0) {
			return sg_fail_memory(error);
		}
	}
	return leap_known
	           ? 0
	           : sg_fail(error, "ntpq-failed",
	                     "ntpq did not get an answer from ntpd on 127.0.0.1; "
	                     "look at ntpd's log, and at its restrict lines");
}

int sg_ntpq_ask(const volatile sig_atomic_t *stop, struct sg_ntpq *ntpq,
                struct sg_error *error)
{
	static const char *const arguments[] = {
		"ntpq",      "-n", "-w", "-c", "peers", "-c", "rv 0 leap,refid",
		"127.0.0.1", NULL,
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
