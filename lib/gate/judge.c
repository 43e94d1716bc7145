/* SPDX-License-Identifier: MIT */
/*
 * The decision, and the only place that decides.
 *
 * Each step either gives its reason or lets the next one ask. Nothing that
 * a token says is believed before its signature holds; a step that cannot be
 * taken is a refusal.
 */
#include "gate.h"

#include <stdio.h>
#include <string.h>

/* ---- the signature ------------------------------------------------------ */

static enum sg_reason check_algorithm(const struct sg_policy *policy,
                                      const struct sg_jws *jws,
                                      struct sg_error *error)
{
	if ((policy->algorithms & sg_algorithm_bit(jws->algorithm)) != 0)
		return SG_ACCEPTED;
	return sg_refuse(error, SG_ALGORITHM,
	                 "the token is signed with %s, which the option algorithms "
	                 "does not allow",
	                 sg_algorithm_name(jws->algorithm));
}

static enum sg_reason check_signature(const struct sg_policy *policy,
                                      const struct sg_jwks *keys,
                                      const struct sg_login *login,
                                      struct sg_verdict *verdict)
{
	struct sg_error *error = &verdict->error;
	struct sg_jws *jws = &verdict->jws;

	enum sg_reason refused =
		sg_jws_parse(login->token, login->size, jws, error);
	if (refused == SG_ACCEPTED)
		refused = check_algorithm(policy, jws, error);
	if (refused == SG_ACCEPTED)
		refused = sg_jws_verify(jws, keys, error);
	if (refused != SG_ACCEPTED)
		return refused;
	verdict->verified = true;
	return sg_claims_parse(jws->payload, jws->payload_size, &verdict->claims,
	                       error);
}

/* ---- the claims --------------------------------------------------------- */

static enum sg_reason check_presence(const struct sg_policy *policy,
                                     const struct sg_login *login,
                                     const struct sg_claims *claims,
                                     struct sg_error *error)
{
	bool needs_iat =
		policy->window.max_age > 0 || policy->window.max_lifetime > 0;
	const struct {
		const char *name;
		bool needed;
	} known[] = {
		{"exp", true},
		{"iat", needs_iat},
		{"jti", policy->single_use},
		{"iss", true},
		{"aud", policy->audiences.count > 0},
		{policy->user_claim, login->user != NULL},
	};
	const char *missing = NULL;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].needed && !sg_claims_has(claims, known[i].name) &&
		    missing == NULL)
			missing = known[i].name;
	for (size_t i = 0; i < policy->required.count && missing == NULL; i++)
		if (!sg_claims_has(claims, policy->required.items[i]))
			missing = policy->required.items[i];
	if (missing == NULL)
		return SG_ACCEPTED;
	return sg_refuse(error, SG_MISSING_CLAIM,
	                 "the token has no claim %s, which this host asks for",
	                 missing);
}

static enum sg_reason check_issuer(const struct sg_policy *policy,
                                   const struct sg_claims *claims,
                                   struct sg_error *error)
{
	char theirs[SG_QUOTED_SIZE];
	char ours[SG_QUOTED_SIZE];

	if (strcmp(claims->issuer, policy->issuer) == 0)
		return SG_ACCEPTED;
	sg_quote(claims->issuer, theirs);
	sg_quote(policy->issuer, ours);
	return sg_refuse(error, SG_ISSUER,
	                 "the token's issuer is %s, and the option issuer is %s",
	                 theirs, ours);
}

static enum sg_reason check_audience(const struct sg_policy *policy,
                                     const struct sg_claims *claims,
                                     struct sg_error *error)
{
	char ours[SG_QUOTED_SIZE];

	if (policy->audiences.count == 0) {
		if (json_object_get(claims->json, "aud") == NULL)
			return SG_ACCEPTED;
		return sg_refuse(
			error, SG_AUDIENCE,
			"the token is meant for somebody (aud), and the option "
			"audience does not say who this host is");
	}
	for (size_t i = 0; i < policy->audiences.count; i++)
		if (sg_claims_has_audience(claims, policy->audiences.items[i]))
			return SG_ACCEPTED;
	sg_quote(policy->audiences.items[0], ours);
	return sg_refuse(
		error, SG_AUDIENCE,
		"the token is not meant for %s%s; its aud names others", ours,
		policy->audiences.count > 1 ? " or another audience of this host" : "");
}

/* Whether `claim` is the user, followed by the suffix. */
static bool names_user(const char *claim, const char *user, const char *suffix)
{
	size_t length = strlen(user);

	return length > 0 && strncmp(claim, user, length) == 0 &&
	       strcmp(claim + length, suffix) == 0;
}

static enum sg_reason check_user(const struct sg_policy *policy,
                                 const struct sg_login *login,
                                 const char *claim, struct sg_error *error)
{
	const char *suffix = policy->user_suffix != NULL ? policy->user_suffix : "";
	char theirs[SG_QUOTED_SIZE];
	char ours[SG_QUOTED_SIZE];

	if (login->user == NULL || names_user(claim, login->user, suffix))
		return SG_ACCEPTED;
	sg_quote(claim, theirs);
	sg_quote(login->user, ours);
	return sg_refuse(error, SG_USER,
	                 "the token's %s is %s, which is not the user %s%s%s",
	                 policy->user_claim, theirs, ours,
	                 suffix[0] != '\0' ? " followed by " : "", suffix);
}

static enum sg_reason check_claims(const struct sg_policy *policy,
                                   const struct sg_login *login,
                                   struct sg_verdict *verdict)
{
	struct sg_error *error = &verdict->error;
	struct sg_claims *claims = &verdict->claims;
	const char *user = NULL;

	enum sg_reason refused = sg_claims_type(claims, error);
	if (refused == SG_ACCEPTED)
		refused = sg_claims_text(claims, policy->user_claim, &user, error);
	if (refused == SG_ACCEPTED)
		refused = check_presence(policy, login, claims, error);
	if (refused == SG_ACCEPTED)
		refused = check_issuer(policy, claims, error);
	if (refused == SG_ACCEPTED)
		refused = check_audience(policy, claims, error);
	if (refused == SG_ACCEPTED)
		refused = check_user(policy, login, user, error);
	return refused;
}

/* ---- the clock ---------------------------------------------------------- */

/* Whether the clock may be off by more than the policy allows. */
static bool is_bad(const struct sg_clock *clock, sg_usec limit)
{
	sg_usec magnitude = clock->offset < 0 ? -clock->offset : clock->offset;

	if (clock->measured)
		return magnitude + clock->bound > limit;
	if (clock->state != SG_CLOCK_SYNCHRONISED)
		return true;
	return clock->bounded && clock->bound > limit;
}

static enum sg_reason check_clock(const struct sg_policy *policy,
                                  struct sg_verdict *verdict)
{
	const struct sg_clock *clock = &verdict->clock;

	if (policy->on_bad_clock == SG_BAD_CLOCK_IGNORE ||
	    !is_bad(clock, policy->max_clock_error))
		return SG_ACCEPTED;
	verdict->clock_bad = true;
	if (policy->on_bad_clock == SG_BAD_CLOCK_WARN)
		return SG_ACCEPTED;
	return sg_refuse(
		&verdict->error, SG_CLOCK,
		"this host's clock is %s, and not known to be right within "
		"max_clock_error; see \"skewgate status\"",
		sg_clock_state_name(clock->state));
}

/*
 * Judges the window again, at each instant that the measurement allows for. The
 * instants that it accepts have no gap, so the ends of both tell all.
 */
static enum sg_culprit find_culprit(const struct sg_verdict *verdict,
                                    enum sg_window window)
{
	const struct sg_claims *claims = &verdict->claims;
	const struct sg_clock *clock = &verdict->clock;
	sg_usec from = 0;
	sg_usec until = 0;

	if (window == SG_WINDOW_INSIDE)
		return SG_CULPRIT_NOT_ASKED;
	if (!sg_window_span(claims, &verdict->rules, &from, &until))
		return SG_CULPRIT_NONE; /* no clock would help */
	if (!clock->bounded)
		return SG_CULPRIT_UNKNOWN;

	sg_usec earliest = verdict->now + clock->offset - clock->bound;
	sg_usec latest = verdict->now + clock->offset + clock->bound;
	if (earliest >= from && latest < until)
		return SG_CULPRIT_HOST;
	/* An nbf long after the iat and a short max_age leave no instant at all. */
	if (from < until && latest >= from && earliest < until)
		return SG_CULPRIT_UNKNOWN;
	/* What is not yet valid, and not issued in the future, has an nbf after its
	 * iat: the issuer meant so. */
	return window == SG_WINDOW_ISSUED_IN_FUTURE ? SG_CULPRIT_ISSUER
	                                            : SG_CULPRIT_NONE;
}

/* ---- the window --------------------------------------------------------- */

static enum sg_reason check_window(const struct sg_window_rules *rules,
                                   const struct sg_login *login,
                                   struct sg_verdict *verdict)
{
	static const enum sg_reason reasons[] = {
		[SG_WINDOW_INSIDE] = SG_ACCEPTED,
		[SG_WINDOW_EXPIRED] = SG_EXPIRED,
		[SG_WINDOW_ISSUED_IN_FUTURE] = SG_ISSUED_IN_FUTURE,
		[SG_WINDOW_NOT_YET_VALID] = SG_NOT_YET_VALID,
		[SG_WINDOW_TOO_OLD] = SG_TOO_OLD,
		[SG_WINDOW_LIFETIME] = SG_LIFETIME,
	};
	const struct sg_claims *claims = &verdict->claims;
	struct sg_window_rules strict = *rules;
	sg_usec now = verdict->now;
	enum sg_window window = sg_window_judge(claims, rules, now);

	strict.leeway = 0;
	verdict->judged_time = true;
	verdict->margin = sg_window_margin(claims, rules, now);
	verdict->culprit = find_culprit(verdict, window);
	verdict->leeway_used =
		window == SG_WINDOW_INSIDE &&
		sg_window_judge(claims, &strict, now) != SG_WINDOW_INSIDE;
	/* Last: the sentence names the culprit. */
	sg_verdict_describe(verdict, reasons[window], login);
	return reasons[window];
}

/* ---- all of it ---------------------------------------------------------- */

/* A terminal keeps so much of a line, and drops the rest without a word (N_TTY,
 * termios(3)). */
#define TERMINAL_LINE ((size_t)4095)

/* Says so of a token that may have been cut there. */
static void tell_terminal(const struct sg_login *login, struct sg_error *error)
{
	size_t length = strlen(error->text);

	if (login->size == TERMINAL_LINE)
		snprintf(error->text + length, sizeof error->text - length,
		         "; it has the %zu bytes at which a terminal cuts a line: do "
		         "not paste it, pipe it in",
		         TERMINAL_LINE);
}

/* Does what a verification costs for a token that was not worth one: sshd
 * replaces what an unknown user sends by junk, and who exists must not be told
 * by how long the refusal takes. A key set that OpenSSL makes no key of is
 * unavailable to every token. */
static void even_out(const struct sg_login *login, const struct sg_jwks *keys,
                     struct sg_verdict *verdict)
{
	struct sg_error error = {0};

	if (verdict->jws.tried ||
	    sg_jws_verify_nothing(login->token, login->size, keys, &error) == 0)
		return;
	verdict->reason = SG_UNAVAILABLE;
	verdict->error = error;
	verdict->any_token = true;
}

void sg_gate_judge(const struct sg_policy *policy, const struct sg_jwks *keys,
                   const struct sg_login *login, struct sg_verdict *verdict)
{
	*verdict = (struct sg_verdict){
		.reason = SG_UNAVAILABLE,
		.now = login->now,
		.rules = policy->window,
		.clock = login->clock,
	};
	enum sg_reason refused = check_signature(policy, keys, login, verdict);
	if (refused == SG_ACCEPTED)
		refused = check_claims(policy, login, verdict);
	if (refused == SG_ACCEPTED)
		refused = check_clock(policy, verdict);
	if (refused == SG_ACCEPTED)
		refused = check_window(&policy->window, login, verdict);
	if (refused == SG_ACCEPTED && policy->single_use) {
		verdict->any_token = true; /* the store is the host's */
		refused = sg_store_use(login->store, &verdict->claims, login->now,
		                       login->records, &verdict->store_filling,
		                       &verdict->error);
	}
	verdict->reason = refused;
	if (verdict->reason == SG_MALFORMED || verdict->reason == SG_BAD_SIGNATURE)
		tell_terminal(login, &verdict->error);
	even_out(login, keys, verdict);
	verdict->jws.text = NULL; /* the token is the caller's */
}

void sg_gate_unavailable(const struct sg_error *error, sg_usec now,
                         struct sg_verdict *verdict)
{
	*verdict = (struct sg_verdict){
		.reason = SG_UNAVAILABLE,
		.error = *error,
		.any_token = true,
		.now = now,
	};
}

void sg_verdict_free(struct sg_verdict *verdict)
{
	sg_jws_free(&verdict->jws);
	sg_claims_free(&verdict->claims);
	*verdict = (struct sg_verdict){.reason = SG_UNAVAILABLE};
}
