/*
 * The faces of pam_skewgate.so (pam_sm_authenticate(3) and its like).
 *
 * A login by key passes here too, in its account and session phases, and must
 * never fail because of us: without a token of this login nothing is read.
 */
#include "module.h"

#include <stdio.h>
#include <string.h>

#define FACE __attribute__((visibility("default")))
#define UNUSED __attribute__((unused))

/* What authenticate leaves for the account phase. */
static const char data_name[] = "skewgate_login";

/* What it leaves for the session: sshd may open that in another process, where
 * the PAM environment is all that is left. */
static const char session_variable[] = "SKEWGATE_SESSION_ENDS";

/* What pam_systemd(8) takes for the session's length. */
static const char limit_name[] = "systemd.runtime_max_sec";

struct accepted {
	sg_usec ends; /* exp + leeway */
};

static void free_data(UNUSED pam_handle_t *pamh, void *data, UNUSED int status)
{
	free(data);
}

static void forget_session_end(pam_handle_t *pamh)
{
	/* libpam complains when there is nothing to unset. */
	if (pam_getenv(pamh, session_variable) != NULL)
		(void)pam_putenv(pamh, session_variable);
}

/* Lets the account phase know until when the token is good, and the session
 * with end_session. */
static int remember(pam_handle_t *pamh, const struct sg_options *options,
                    const struct sg_verdict *verdict)
{
	struct accepted *accepted = malloc(sizeof *accepted);
	char variable[64];

	if (accepted == NULL)
		return -1;
	accepted->ends = verdict->claims.expires.time + verdict->rules.leeway;
	snprintf(variable, sizeof variable, "%s=%lld", session_variable,
	         (long long)accepted->ends);
	if (options->end_session && pam_putenv(pamh, variable) != PAM_SUCCESS) {
		free(accepted);
		return -1;
	}
	if (pam_set_data(pamh, data_name, accepted, free_data) == PAM_SUCCESS)
		return 0;
	free(accepted);
	return -1;
}

/* The user that logs in; "" is nobody. */
static const char *find_user(pam_handle_t *pamh)
{
	const char *user = NULL;

	return pam_get_user(pamh, &user, NULL) == PAM_SUCCESS && user != NULL ? user
	                                                                      : "";
}

/* The token against the options, with the keys and the clock as they are now.
 */
static void judge(const struct sg_options *options, const char *user,
                  const struct credential *credential,
                  struct sg_verdict *verdict)
{
	struct sg_error error = {0};
	struct sg_jwks *keys = NULL;

	if (sg_options_read_keys(options, &keys, &error) != 0) {
		sg_gate_unavailable(&error, sg_time_now(), verdict);
		return;
	}
	struct sg_login login = {
		.token = credential->bytes,
		.size = credential->size,
		.user = user,
		.store = SG_STORE,
		.records = true,
	};
	sg_clock_judge(SG_CLOCK_RECORD, &login.clock);
	login.now = sg_time_now();
	sg_gate_judge(&options->policy, keys, &login, verdict);
	sg_jwks_free(keys);
}

/* The login as far as the options are known. */
static int authenticate(pam_handle_t *pamh, bool silent,
                        const struct sg_options *options, const char *user)
{
	struct credential credential = {.size = 0};
	struct sg_verdict verdict;
	int result = PAM_AUTH_ERR;

	if (options->use_first_pass)
		credential_take(pamh, &credential);
	else
		credential_ask(pamh, silent, &credential);
	judge(options, user, &credential, &verdict);
	credential_wipe(&credential);

	report_verdict(pamh, user, options->debug, &verdict);
	if (verdict.reason == SG_UNAVAILABLE || verdict.reason == SG_CLOCK)
		result = PAM_AUTHINFO_UNAVAIL;
	else if (verdict.reason == SG_ACCEPTED)
		result = remember(pamh, options, &verdict) == 0 ? PAM_SUCCESS
		                                                : PAM_AUTHINFO_UNAVAIL;
	if (!silent)
		report_to_user(pamh, &verdict);
	sg_verdict_free(&verdict);
	return result;
}

/* Options that a person has to mend, or a file that cannot be had. */
static int refuse_options(pam_handle_t *pamh, const char *user,
                          const struct sg_error *error)
{
	static const char option[] = "option-";
	struct sg_verdict verdict;

	if (strncmp(error->code, option, strlen(option)) == 0) {
		report_options(pamh, error);
		return PAM_SERVICE_ERR;
	}
	sg_gate_unavailable(error, sg_time_now(), &verdict);
	report_verdict(pamh, user, false, &verdict);
	sg_verdict_free(&verdict);
	return PAM_AUTHINFO_UNAVAIL;
}

FACE int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc,
                             const char **argv)
{
	struct sg_options options = {0};
	struct sg_error error = {0};
	int result;

	/* A second attempt must not live on the first one's token. */
	(void)pam_set_data(pamh, data_name, NULL, NULL);
	forget_session_end(pamh);
	const char *user = find_user(pamh);
	if (sg_options_read(argc, argv, &options, &error) == 0)
		result = authenticate(pamh, ((unsigned)flags & PAM_SILENT) != 0,
		                      &options, user);
	else
		result = refuse_options(pamh, user, &error);
	sg_options_free(&options);
	return result;
}

FACE int pam_sm_setcred(UNUSED pam_handle_t *pamh, UNUSED int flags,
                        UNUSED int argc, UNUSED const char **argv)
{
	return PAM_SUCCESS;
}

/* Never PAM_SUCCESS, which as `sufficient` would let an expired account in. */
FACE int pam_sm_acct_mgmt(pam_handle_t *pamh, UNUSED int flags, UNUSED int argc,
                          UNUSED const char **argv)
{
	const void *data = NULL;

	if (pam_get_data(pamh, data_name, &data) != PAM_SUCCESS || data == NULL)
		return PAM_IGNORE;
	if (sg_time_now() < ((const struct accepted *)data)->ends)
		return PAM_IGNORE;
	report_ended(pamh);
	return PAM_ACCT_EXPIRED;
}

/* Hands pam_systemd what is left of the token, in seconds. */
static int limit_session(pam_handle_t *pamh, sg_usec left)
{
	char *limit = NULL;

	if (left < SG_SECOND) {
		report_ended(pamh);
		return PAM_SESSION_ERR;
	}
	if (asprintf(&limit, "%lld", (long long)(left / SG_SECOND)) < 0)
		return PAM_SESSION_ERR;
	if (pam_set_data(pamh, limit_name, limit, free_data) == PAM_SUCCESS)
		return PAM_SUCCESS;
	free(limit);
	return PAM_SESSION_ERR;
}

FACE int pam_sm_open_session(pam_handle_t *pamh, UNUSED int flags,
                             UNUSED int argc, UNUSED const char **argv)
{
	const char *ends = pam_getenv(pamh, session_variable);

	if (ends == NULL)
		return PAM_IGNORE;
	sg_usec left = strtoll(ends, NULL, 10) - sg_time_now();
	/* It is nobody else's business, the user's least of all. */
	forget_session_end(pamh);
	return limit_session(pamh, left);
}

FACE int pam_sm_close_session(UNUSED pam_handle_t *pamh, UNUSED int flags,
                              UNUSED int argc, UNUSED const char **argv)
{
	return PAM_IGNORE;
}
