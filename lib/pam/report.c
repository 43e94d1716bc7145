/* SPDX-License-Identifier: MIT */
/* What the module tells: the log, and the user. */
#include "module.h"

#include <security/pam_ext.h>
#include <syslog.h>

void report_options(pam_handle_t *pamh, const struct sg_error *error)
{
	pam_syslog(pamh, LOG_ERR, "%s [%s]", error->text, error->code);
}

void report_verdict(pam_handle_t *pamh, const char *user, bool debug,
                    const struct sg_verdict *verdict)
{
	const void *host = NULL;

	if (pam_get_item(pamh, PAM_RHOST, &host) != PAM_SUCCESS)
		host = NULL;
	sg_auto_free char *line = sg_verdict_log(verdict, user, host);
	pam_syslog(pamh, sg_verdict_priority(verdict), "%s",
	           line != NULL ? line : "decision=refuse reason=unavailable");
	if (debug)
		pam_syslog(pamh, LOG_DEBUG, "%s", verdict->error.text);
}

void report_to_user(pam_handle_t *pamh, const struct sg_verdict *verdict)
{
	char text[SG_TEXT_SIZE];

	if (sg_verdict_message(verdict, text, sizeof text))
		pam_error(pamh, "%s", text);
}

void report_ended(pam_handle_t *pamh)
{
	const void *item = NULL;
	char user[SG_QUOTED_SIZE] = "";

	if (pam_get_item(pamh, PAM_USER, &item) == PAM_SUCCESS && item != NULL)
		sg_quote(item, user);
	pam_syslog(pamh, LOG_NOTICE,
	           "the token of user %s ended before the login did", user);
}
