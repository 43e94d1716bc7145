/* SPDX-License-Identifier: MIT */
/*
 * A module in pam_systemd's place, as a session line: it writes what that would
 * find, the session's limit and the variable of pam_skewgate, into a file.
 *
 * argument: FILE
 */
#include <security/pam_modules.h>
#include <stdio.h>

#define EXPORTED __attribute__((visibility("default")))
#define UNUSED __attribute__((unused))

EXPORTED int pam_sm_open_session(pam_handle_t *pamh, UNUSED int flags, int argc,
                                 const char **argv)
{
	FILE *file = argc == 1 ? fopen(argv[0], "ae") : NULL;
	const void *limit = NULL;

	if (file == NULL)
		return PAM_SESSION_ERR;
	if (pam_get_data(pamh, "systemd.runtime_max_sec", &limit) != PAM_SUCCESS)
		limit = NULL;
	fprintf(file, "limit=%s variable=%s\n",
	        limit != NULL ? (const char *)limit : "none",
	        pam_getenv(pamh, "SKEWGATE_SESSION_ENDS") != NULL ? "yes" : "no");
	return fclose(file) == 0 ? PAM_SUCCESS : PAM_SESSION_ERR;
}

EXPORTED int pam_sm_close_session(UNUSED pam_handle_t *pamh, UNUSED int flags,
                                  UNUSED int argc, UNUSED const char **argv)
{
	return PAM_SUCCESS;
}
