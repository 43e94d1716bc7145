/* SPDX-License-Identifier: MIT */
/*
 * A module that asks as pam_skewgate does, looks at nothing, waits as that
 * does, and refuses: what a clock tells of a user then is sshd's own and
 * libpam's.
 */
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdlib.h>
#include <time.h>

#define EXPORTED __attribute__((visibility("default")))
#define UNUSED __attribute__((unused))

EXPORTED int pam_sm_authenticate(pam_handle_t *pamh, UNUSED int flags,
                                 UNUSED int argc, UNUSED const char **argv)
{
	char *answer = NULL;
	struct timespec end;

	(void)pam_prompt(pamh, PAM_PROMPT_ECHO_OFF, &answer, "JWT: ");
	free(answer);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += 100000000;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
	return PAM_AUTH_ERR;
}

EXPORTED int pam_sm_setcred(UNUSED pam_handle_t *pamh, UNUSED int flags,
                            UNUSED int argc, UNUSED const char **argv)
{
	return PAM_IGNORE;
}
