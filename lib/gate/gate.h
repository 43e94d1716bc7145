/* SPDX-License-Identifier: MIT */
/*
 * gate: the decision over a login's token, and how it is told.
 *
 * The module and `skewgate explain` call the same function, so that what is
 * explained is what would happen.
 */
#ifndef SG_GATE_H
#define SG_GATE_H

#include "lib/clock/clock.h"
#include "lib/policy/policy.h"

/* ---- judge.c ------------------------------------------------------------ */

/* Whose clock is at fault when the time was refused. */
enum sg_culprit {
	SG_CULPRIT_NOT_ASKED, /* the time was not refused */
	SG_CULPRIT_UNKNOWN,
	SG_CULPRIT_NONE, /* an ordinary old token; a slow issuer looks the same */
	SG_CULPRIT_ISSUER,
	SG_CULPRIT_HOST,
};

/* What somebody logs in with. */
struct sg_login {
	const char *token;
	size_t size;
	const char *user; /* NULL: not checked */
	sg_usec now;
	struct sg_clock clock;
	const char *store; /* the directory of used tokens (store.c) */
	bool records;      /* an accepted token is used up */
};

/* The decision. End with sg_verdict_free. */
struct sg_verdict {
	enum sg_reason reason;
	struct sg_error error; /* the reason, and a sentence for administrators */
	bool any_token;        /* if unavailable, it is so to every token */
	bool verified;         /* the signature held: the claims are the issuer's */
	bool judged_time;      /* the claims are such that the window was asked */
	bool leeway_used;      /* accepted, but not without the leeway */
	bool clock_bad;        /* by the policy; and it does not pass over that */
	bool store_filling;    /* half of the room for used tokens is taken */
	enum sg_culprit culprit;
	sg_usec now;
	sg_usec margin; /* to the nearest bound of the window; negative outside */
	struct sg_window_rules rules;
	struct sg_clock clock;
	struct sg_jws jws; /* but for its text, which is gone */
	struct sg_claims claims;
};

/* Decides. What is not decided by the first reason that applies is accepted. */
void sg_gate_judge(const struct sg_policy *policy, const struct sg_jwks *keys,
                   const struct sg_login *login, struct sg_verdict *verdict);

/* The refusal when the policy or the keys cannot be had. */
void sg_gate_unavailable(const struct sg_error *error, sg_usec now,
                         struct sg_verdict *verdict);

void sg_verdict_free(struct sg_verdict *verdict);

/* ---- store.c ------------------------------------------------------------ */

/* The directory of used tokens. */
#define SG_STORE SG_STATE_DIR "/used-tokens"

/*
 * Uses a token up: of all processes that ask for the same issuer and `jti`
 * until `exp` and SG_MAX_LEEWAY, one gets SG_ACCEPTED; the others, and everyone
 * for a token that ends before the store can remember, get SG_REPLAYED. What
 * cannot be recorded durably, or read, is SG_UNAVAILABLE; a refused token
 * leaves nothing behind. `*filling` says that half of a directory's room is
 * taken. With `records` false nothing is written, and the answer is the one
 * that a login would get.
 */
enum sg_reason sg_store_use(const char *store, const struct sg_claims *claims,
                            sg_usec now, bool records, bool *filling,
                            struct sg_error *error);

/* ---- messages.c --------------------------------------------------------- */

/* "issuer", "host", "none", "unknown"; NULL: not asked. */
const char *sg_culprit_name(enum sg_culprit culprit);

/* The instant at which a token whose time was judged ends, without the leeway,
 * and the name of what ends it: "exp" or "max_age". */
sg_usec sg_verdict_end(const struct sg_verdict *verdict, const char **name);

/* Fills the sentence for administrators on a token whose time was judged, and
 * accepted or refused for that; the culprit is known by then. */
void sg_verdict_describe(struct sg_verdict *verdict, enum sg_reason reason,
                         const struct sg_login *login);

/* The decision as one line of `key=value` for the log; what strangers wrote is
 * escaped and cut. The caller frees it; NULL without memory. */
char *sg_verdict_log(const struct sg_verdict *verdict, const char *user,
                     const char *host);

/* The priority of that line (syslog(3)). */
int sg_verdict_priority(const struct sg_verdict *verdict);

/* What the user may be told: a sentence when signature, issuer, audience and
 * user held and the time did not. Else false: it would tell who exists. */
bool sg_verdict_message(const struct sg_verdict *verdict, char *text,
                        size_t size);

/* ---- explain.c ---------------------------------------------------------- */

/* Fills the claims of a token whose signature did not hold, to be shown as not
 * verified. */
void sg_verdict_reveal(struct sg_verdict *verdict,
                       const struct sg_login *login);

/* The decision as a JSON object, the caller's; NULL without memory. */
json_t *sg_verdict_json(const struct sg_verdict *verdict);

#endif
