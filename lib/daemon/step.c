/* SPDX-License-Identifier: MIT */
/* The step: the clock set at once, while ntpd is stopped. */
#include "daemon.h"

#include "lib/sntp/sntp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Classic ntpdate takes 7 s for its four samples. */
#define NTPDATE_LIMIT (30 * SG_SECOND)

static int step_with_ntpdate(const char *address,
                             const volatile sig_atomic_t *stop,
                             struct sg_error *error)
{
	/* -b: both ntpdates slew below half a second unless told to step. */
	const char *const arguments[] = {"ntpdate", "-b", address, NULL};
	struct sg_command command;
	struct sg_error reason = {0};

	int failed =
		sg_command_run(arguments, NTPDATE_LIMIT, stop, &command, &reason);
	if (failed != 0)
		sg_fail(error, "step-failed", "ntpdate did not step the clock: %.700s",
		        reason.text);
	sg_command_free(&command);
	return failed;
}

static int step_with_offset(const char *address,
                            const volatile sig_atomic_t *stop,
                            struct sg_error *error)
{
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];

	if (sg_sntp_query(&address, 1, &sg_sntp_defaults, answers) != 1 ||
	    !answers[0].usable)
		return sg_fail(error, "step-failed",
		               "the clock was not stepped, %s gave no usable time",
		               address);
	/* A signal ends the question early: its answer is worth less then. */
	if (stop != NULL && *stop != 0)
		return sg_fail(error, "step-failed",
		               "the clock was not stepped, signal %d came before",
		               (int)*stop);
	sg_usec now = sg_time_now() + answers[0].offset;
	struct timespec time = {
		.tv_sec = (time_t)(now / SG_SECOND),
		.tv_nsec = (long)(now % SG_SECOND) * 1000,
	};
	if (clock_settime(CLOCK_REALTIME, &time) != 0)
		return sg_fail(error, "step-failed", "the clock cannot be set: %s",
		               strerror(errno));
	return 0;
}

int sg_step_clock(enum sg_step method, const char *address,
                  const volatile sig_atomic_t *stop, const char **done,
                  struct sg_error *error)
{
	sg_auto_free char *program = sg_command_find("ntpdate");
	bool own = method == SG_STEP_BUILTIN ||
	           (method == SG_STEP_AUTO && program == NULL);

	*done = own ? "builtin" : "ntpdate";
	return own ? step_with_offset(address, stop, error)
	           : step_with_ntpdate(address, stop, error);
}
