/* SPDX-License-Identifier: MIT */
/*
 * jwt: JSON Web Tokens: keys, signatures, claims, and their time window.
 *
 * It never reads a clock or a file: the time and the bytes are arguments. What
 * looks at a token returns why it is refused, or SG_ACCEPTED, which is 0, when
 * it has nothing against it; the error has a sentence then. It is
 * SG_UNAVAILABLE with the code crypto-unusable when OpenSSL cannot do its part.
 * Error codes for key sets: keys-unparseable, keys-too-many, keys-unusable.
 */
#ifndef SG_JWT_H
#define SG_JWT_H

#include "lib/base/base.h"

#include <jansson.h>

/* ---- reason.c ----------------------------------------------------------- */

/* Why a token is refused, in the order in which it is asked. */
enum sg_reason {
	SG_ACCEPTED,
	SG_UNAVAILABLE, /* a check could not be made */
	SG_MALFORMED,
	SG_ALGORITHM,
	SG_UNKNOWN_KEY,
	SG_BAD_SIGNATURE,
	SG_CLAIM_TYPE,
	SG_MISSING_CLAIM,
	SG_ISSUER,
	SG_AUDIENCE,
	SG_USER,
	SG_CLOCK,
	SG_EXPIRED,
	SG_ISSUED_IN_FUTURE,
	SG_NOT_YET_VALID,
	SG_TOO_OLD,
	SG_LIFETIME,
	SG_REPLAYED,
};

/* The reason's name: `issued_in_future`. */
const char *sg_reason_name(enum sg_reason reason);

/* Fills `error` with the reason's name and a sentence. Returns the reason. */
enum sg_reason sg_refuse(struct sg_error *error, enum sg_reason reason,
                         const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for memory that could not be had: SG_UNAVAILABLE. */
enum sg_reason sg_refuse_memory(struct sg_error *error);

/* ---- base64url.c -------------------------------------------------------- */

/* How many whole bytes so many characters hold. */
#define SG_BASE64URL_BYTES(size) ((size) / 4 * 3 + (size) % 4 * 3 / 4)

/*
 * Decodes base64url without padding (RFC 4648 section 5, RFC 7515 section 2)
 * into `bytes`, which has room for SG_BASE64URL_BYTES(size). Strict: each byte
 * string has one spelling only. Returns 0, or -1: another character, an
 * impossible length, or bits in the tail that are not zero.
 */
int sg_base64url_decode(const char *text, size_t size, unsigned char *bytes,
                        size_t *decoded);

/* ---- algorithm.c -------------------------------------------------------- */

/* A set of algorithms is a mask of their bits; the order is that of the table
 * in algorithm.c. */
typedef uint32_t sg_algorithms;

struct sg_algorithm;

/* The algorithm of that name (RFC 7518 section 3.1, RFC 8037), or NULL: `none`
 * is not one. */
const struct sg_algorithm *sg_algorithm_named(const char *name);

const char *sg_algorithm_name(const struct sg_algorithm *algorithm);

sg_algorithms sg_algorithm_bit(const struct sg_algorithm *algorithm);

/* Every algorithm whose verifier cannot sign. */
sg_algorithms sg_algorithms_asymmetric(void);

/* ---- jwks.c ------------------------------------------------------------- */

/* The keys of an issuer. Each is turned into an OpenSSL key only when a token
 * asks for it, so that the size of a set costs its parsing only. */
struct sg_jwks;

/*
 * Reads a JWK set (RFC 7517 section 5), one JWK, or a public key in PEM
 * (RFC 7468 section 13); the caller frees it with sg_jwks_free. The bytes may
 * be wiped afterwards. Errors: keys-unparseable; keys-too-many for more than
 * 1,000; keys-unusable for a PEM file with a private key, a certificate,
 * several blocks, or a key that fits no algorithm.
 */
int sg_jwks_parse(const char *bytes, size_t size, struct sg_jwks **set,
                  struct sg_error *error);

void sg_jwks_free(struct sg_jwks *set);

/* Whether a key of the set could also sign: it belongs on the issuer only. */
bool sg_jwks_has_private_key(const struct sg_jwks *set);

/* ---- jws.c -------------------------------------------------------------- */

/* Longest token, in bytes: sixteen times what a usual one needs. */
#define SG_MAX_TOKEN ((size_t)16 * 1024)

/* A compact JWS (RFC 7515 section 7.1) taken apart; nothing in it is to be
 * believed before sg_jws_verify. Start from zeros, end with sg_jws_free. */
struct sg_jws {
	json_t *header;
	const struct sg_algorithm *algorithm; /* NULL when it is not known */
	const char *kid;                      /* in the header; NULL: none */
	const char *text;                     /* what is signed, in the token */
	size_t text_size;
	unsigned char *payload;
	size_t payload_size;
	unsigned char *signature;
	size_t signature_size;
	bool junk;  /* no token at all: it holds control characters */
	bool tried; /* a signature of the right length was computed */
};

/*
 * Takes a token apart, which must outlive `jws`. Refusals: SG_MALFORMED;
 * SG_ALGORITHM when its `alg` is none that is known, and then all the rest is
 * set.
 */
enum sg_reason sg_jws_parse(const char *token, size_t size, struct sg_jws *jws,
                            struct sg_error *error);

/* Verifies the signature with the one key of the set that fits (RFC 7515
 * section 5.2). Refusals: SG_UNKNOWN_KEY, SG_BAD_SIGNATURE, SG_UNAVAILABLE. */
enum sg_reason sg_jws_verify(struct sg_jws *jws, const struct sg_jwks *set,
                             struct sg_error *error);

/* Does the work of one verification with some key of the set, for nothing: the
 * time that a refusal takes shall not tell how far a token came. Error:
 * crypto-unusable when OpenSSL makes a key of none of the set, though their
 * members are right. */
int sg_jws_verify_nothing(const char *token, size_t size,
                          const struct sg_jwks *set, struct sg_error *error);

void sg_jws_free(struct sg_jws *jws);

/* ---- claims.c ----------------------------------------------------------- */

/* A time claim; `time` is to the microsecond. */
struct sg_time_claim {
	bool present;
	sg_usec time;
};

/* The claims of a token (RFC 7519 section 4). Start from zeros, end with
 * sg_claims_free. Texts are in `json`; NULL: absent. */
struct sg_claims {
	json_t *json;
	const char *issuer;
	const char *subject;
	const char *id;
	struct sg_time_claim expires;    /* exp, rounded down */
	struct sg_time_claim not_before; /* nbf, rounded up */
	struct sg_time_claim issued;     /* iat, rounded up */
};

/* What jansson says, without what it quotes: those are bytes of a token, or of
 * a secret key. */
const char *sg_json_reason(json_error_t *reason);

/* The refusal for a part of a token that is no JSON object: `json` is what it
 * is, or NULL with jansson's reason. */
enum sg_reason sg_refuse_object(const json_t *json, json_error_t *reason,
                                const char *part, struct sg_error *error);

/* Reads the payload as a JSON object. Refusal: SG_MALFORMED. */
enum sg_reason sg_claims_parse(const unsigned char *payload, size_t size,
                               struct sg_claims *claims,
                               struct sg_error *error);

/*
 * Checks the type of each registered claim, and fills the fields. A time is an
 * integer or a finite real from 0 to SG_TIME_LAST; nothing else counts as
 * absent. Refusal: SG_CLAIM_TYPE.
 */
enum sg_reason sg_claims_type(struct sg_claims *claims, struct sg_error *error);

/* Reads a claim that has to be a text; NULL when it is absent. Refusal:
 * SG_CLAIM_TYPE. */
enum sg_reason sg_claims_text(const struct sg_claims *claims, const char *name,
                              const char **text, struct sg_error *error);

/* Whether the claim is there, and not null. */
bool sg_claims_has(const struct sg_claims *claims, const char *name);

/* Whether `aud` (a text or a list of texts) names the audience. */
bool sg_claims_has_audience(const struct sg_claims *claims,
                            const char *audience);

void sg_claims_free(struct sg_claims *claims);

/* ---- window.c ----------------------------------------------------------- */

/* What a host asks of a token's times, in microseconds. */
struct sg_window_rules {
	sg_usec leeway;       /* widens both ends */
	sg_usec max_age;      /* now - iat; 0: any */
	sg_usec max_lifetime; /* exp - iat; 0: any */
};

enum sg_window {
	SG_WINDOW_INSIDE,
	SG_WINDOW_EXPIRED,
	SG_WINDOW_ISSUED_IN_FUTURE,
	SG_WINDOW_NOT_YET_VALID,
	SG_WINDOW_TOO_OLD,
	SG_WINDOW_LIFETIME,
};

/* Where `now` lies, the first that applies in this order. `exp` must be
 * present, and `iat` where a rule needs it. */
enum sg_window sg_window_judge(const struct sg_claims *claims,
                               const struct sg_window_rules *rules,
                               sg_usec now);

/*
 * The instants at which the window accepts: from `*from` on, until before
 * `*until`; none where that is not later. False when the lifetime is refused,
 * whatever the time is.
 */
bool sg_window_span(const struct sg_claims *claims,
                    const struct sg_window_rules *rules, sg_usec *from,
                    sg_usec *until);

/* How far `now` is from the nearest bound of the window; negative outside. */
sg_usec sg_window_margin(const struct sg_claims *claims,
                         const struct sg_window_rules *rules, sg_usec now);

#endif
