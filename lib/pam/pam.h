/*
 * pam: the module pam_skewgate.so.
 *
 * This header is what others may use of it: the options, which `skewgate
 * explain` reads as the module does. What is between the files of the module is
 * in module.h.
 */
#ifndef SG_PAM_H
#define SG_PAM_H

#include "lib/gate/gate.h"

/* The folder of used tokens. */
#define SG_STORE SG_STATE_DIR "/used-tokens"

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
 * option-missing, which a person has to mend; and those of sg_trusted_read.
 */
int sg_options_read(int count, const char *const *arguments,
                    struct sg_options *options, struct sg_error *error);

/* Reads the keys that the options name, for sg_jwks_free. Errors as in
 * sg_trusted_read and sg_jwks_parse. */
int sg_options_read_keys(const struct sg_options *options,
                         struct sg_jwks **keys, struct sg_error *error);

void sg_options_free(struct sg_options *options);

#endif
