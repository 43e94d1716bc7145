/* SPDX-License-Identifier: MIT */
/*
 * The entry points of pam_skewgate.so (pam_sm_authenticate(3) and its like).
 *
 * A login by key passes here too, in its account and session phases, and must
 * never fail because of us: without a token of this login nothing is read.
 */
#include "module.h"

#include <stdio.h>
#include <string.h>

#define ENTRY_POINT __attribute__((visibility("default")))
#define UNUSED __attribute__((unused))

/* A refusal ends so long after the token came, or at a multiple of that: more
 * than any decision takes, so that no clock tells which one it was. */
#define REFUSAL_TIME (SG_SECOND / 10)

/* What authenticate leaves for the account phase. */
static const char data_name[] = "skewgate_login";

/* What it leaves for setcred: sshd may call that in another process, where the
 * PAM environment is all that is left. */
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

/* Lets the account phase know until when the token is good, and setcred with
 * end_session. */
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

/* What a refusal is to the stack. Where `authinfo_unavail=ignore` leads to
 * passwords, the sender of a token must not be able to choose it. */
static int result_of(const struct sg_verdict *verdict)
{
	if (verdict->reason == SG_CLOCK ||
	    (verdict->reason == SG_UNAVAILABLE && verdict->any_token))
		return PAM_AUTHINFO_UNAVAIL;
	return PAM_AUTH_ERR;
}

/* The login as far as the options are known; `*came` is when the token did. */
static int authenticate(pam_handle_t *pamh, bool silent,
                        const struct sg_options *options, const char *user,
                        sg_usec *came)
{
	struct credential credential = {.size = 0};
	struct sg_verdict verdict;
	int result;

	if (options->use_first_pass) {
		credential_take(pamh, &credential);
	} else {
		credential_ask(pamh, silent, &credential);
		*came = credential.came;
	}
	judge(options, user, &credential, &verdict);
	credential_wipe(&credential);

	report_verdict(pamh, user, options->debug, &verdict);
	if (verdict.reason == SG_ACCEPTED)
		result = remember(pamh, options, &verdict) == 0 ? PAM_SUCCESS
		                                                : PAM_AUTHINFO_UNAVAIL;
	else
		result = result_of(&verdict);
	if (!silent)
		report_to_user(pamh, &verdict);
	sg_verdict_free(&verdict);
	return result;
}

/* Options that a person has to correct, or a file that cannot be had. */
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

/* Waits until a refusal of what came then may be told. */
static void wait_out(sg_usec came)
{
	sg_usec taken = sg_time_elapsed() - came;
	sg_usec times = (taken + REFUSAL_TIME - 1) / REFUSAL_TIME;

	sg_time_sleep_until(came + (times > 0 ? times : 1) * REFUSAL_TIME);
}

ENTRY_POINT int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc,
                                    const char **argv)
{
	sg_usec came = sg_time_elapsed();
	struct sg_options options = {0};
	struct sg_error error = {0};
	int result;

	/* A second attempt must not live on the first one's token. */
	(void)pam_set_data(pamh, data_name, NULL, NULL);
	forget_session_end(pamh);
	const char *user = find_user(pamh);
	if (sg_options_read(argc, argv, &options, &error) == 0)
		result = authenticate(pamh, ((unsigned)flags & PAM_SILENT) != 0,
		                      &options, user, &came);
	else
		result = refuse_options(pamh, user, &error);
	sg_options_free(&options);
	if (result != PAM_SUCCESS)
		wait_out(came);
	return result;
}

/* What is left of a token that ends then. */
static sg_usec left_of(const char *ends)
{
	return strtoll(ends, NULL, 10) - sg_time_now();
}

/* Hands pam_systemd what is left of the token, in seconds. Where nothing is, a
 * second all the same: sshd does not care for our word after its password
 * method. */
static int limit_session(pam_handle_t *pamh, sg_usec left)
{
	bool over = left < SG_SECOND;
	char *limit = NULL;

	if (over)
		report_ended(pamh);
	if (asprintf(&limit, "%lld", over ? 1LL : (long long)(left / SG_SECOND)) <
	    0)
		return PAM_CRED_ERR;
	if (pam_set_data(pamh, limit_name, limit, free_data) == PAM_SUCCESS)
		return over ? PAM_CRED_EXPIRED : PAM_SUCCESS;
	free(limit);
	return PAM_CRED_ERR;
}

/* Every stack that authenticates here comes by: a session line may have been
 * forgotten, and the session must end all the same. */
ENTRY_POINT int pam_sm_setcred(pam_handle_t *pamh, int flags, UNUSED int argc,
                               UNUSED const char **argv)
{
	const char *ends = pam_getenv(pamh, session_variable);

	if (ends == NULL || ((unsigned)flags & PAM_ESTABLISH_CRED) == 0)
		return PAM_SUCCESS;
	return limit_session(pamh, left_of(ends));
}

ENTRY_POINT int pam_sm_acct_mgmt(pam_handle_t *pamh, UNUSED int flags,
                                 UNUSED int argc, UNUSED const char **argv)
{
	const void *data = NULL;

	if (pam_get_data(pamh, data_name, &data) != PAM_SUCCESS || data == NULL)
		return PAM_IGNORE;
	if (sg_time_now() < ((const struct accepted *)data)->ends)
		return PAM_IGNORE;
	report_ended(pamh);
	return PAM_ACCT_EXPIRED;
}

ENTRY_POINT int pam_sm_open_session(pam_handle_t *pamh, UNUSED int flags,
                                    UNUSED int argc, UNUSED const char **argv)
{
	const char *ends = pam_getenv(pamh, session_variable);

	if (ends == NULL)
		return PAM_IGNORE;
	sg_usec left = left_of(ends);
	/* It is nobody else's business, the user's least of all. */
	forget_session_end(pamh);
	if (left >= SG_SECOND)
		return PAM_IGNORE;
	report_ended(pamh);
	return PAM_SESSION_ERR;
}

ENTRY_POINT int pam_sm_close_session(UNUSED pam_handle_t *pamh,
                                     UNUSED int flags, UNUSED int argc,
                                     UNUSED const char **argv)
{
	return PAM_IGNORE;
}
