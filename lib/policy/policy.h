/* SPDX-License-Identifier: MIT */
/*
 * policy: what a host asks of a token, and where that is written.
 *
 * The module and `skewgate explain` read it in the same way.
 */
#ifndef SG_POLICY_H
#define SG_POLICY_H

#include "lib/jwt/jwt.h"

/* ---- policy.c ----------------------------------------------------------- */

/* The widest leeway: more would hide that a clock is wrong, see
 * pam_skewgate(8). */
#define SG_MAX_LEEWAY (300 * SG_SECOND)

/* What to do when this host's clock is bad. */
enum sg_bad_clock {
	SG_BAD_CLOCK_IGNORE,
	SG_BAD_CLOCK_WARN,
	SG_BAD_CLOCK_DENY,
};

/* What a host asks of a token. */
struct sg_policy {
	char *issuer;
	struct sg_texts audiences; /* none: a token must not have any */
	sg_algorithms algorithms;
	char *user_claim;
	char *user_suffix; /* NULL: none */
	struct sg_texts required;
	struct sg_window_rules window;
	enum sg_bad_clock on_bad_clock;
	sg_usec max_clock_error;
	bool single_use;
};

/* The defaults; `issuer` has none. Returns 0, or -1 without memory. */
int sg_policy_begin(struct sg_policy *policy);

void sg_policy_free(struct sg_policy *policy);

/* ---- options.c ---------------------------------------------------------- */

/* What a login is judged by. Start from zeros, end with sg_options_free. */
struct sg_options {
	char *config; /* the file they came from */
	char *keys;
	struct sg_policy policy;
	bool end_session;
	bool use_first_pass;
	bool debug;
};

/*
 * Reads the options from the config and from the module's arguments, which
 * replace what the config says. Errors: option-unknown, option-invalid,
 * option-missing, which a person has to fix; and those of sg_trusted_read.
 */
int sg_options_read(int count, const char *const *arguments,
                    struct sg_options *options, struct sg_error *error);

/* Reads the keys that the options name, for sg_jwks_free. Errors as in
 * sg_trusted_read and sg_jwks_parse. */
int sg_options_read_keys(const struct sg_options *options,
                         struct sg_jwks **keys, struct sg_error *error);

void sg_options_free(struct sg_options *options);

#endif
