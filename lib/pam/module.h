/* SPDX-License-Identifier: MIT */
/*
 * pam: the module pam_skewgate.so; what is between its files.
 */
#ifndef SG_PAM_MODULE_H
#define SG_PAM_MODULE_H

#include "lib/gate/gate.h"

#include <security/pam_modules.h>

/* ---- conversation.c ----------------------------------------------------- */

/* The token as it was given; wiped by credential_wipe. */
struct credential {
	char bytes[SG_MAX_TOKEN + 2]; /* one more says that it is too long */
	size_t size;
	unsigned parts;
	sg_usec came; /* the last part; by sg_time_elapsed */
};

/* Asks for the token, in parts where it is long; `silent`: without advice. What
 * is not answered is empty. */
void credential_ask(pam_handle_t *pamh, bool silent,
                    struct credential *credential);

/* Takes the token that an earlier module asked for. */
void credential_take(pam_handle_t *pamh, struct credential *credential);

void credential_wipe(struct credential *credential);

/* ---- report.c ----------------------------------------------------------- */

/* Logs that the options are unusable. */
void report_options(pam_handle_t *pamh, const struct sg_error *error);

/* Logs the decision; with `debug` its sentence as well. */
void report_verdict(pam_handle_t *pamh, const char *user, bool debug,
                    const struct sg_verdict *verdict);

/* Tells the user why, where they may know. */
void report_to_user(pam_handle_t *pamh, const struct sg_verdict *verdict);

/* Logs that a token ended between two phases of its login. */
void report_ended(pam_handle_t *pamh);

#endif
