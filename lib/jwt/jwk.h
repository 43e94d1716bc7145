/* SPDX-License-Identifier: MIT */
/* One key: a JWK, or what it becomes for OpenSSL. */
#ifndef SG_JWT_JWK_H
#define SG_JWT_JWK_H

#include "algorithm.h"

#include <openssl/evp.h>

/* A key ready for use. Start from zeros, end with sg_key_free. */
struct sg_key {
	EVP_PKEY *pkey;               /* public; NULL for a shared secret */
	const struct sg_curve *curve; /* NULL: none */
	unsigned char *secret;        /* of an `oct` key */
	size_t secret_size;
};

#define sg_auto_key __attribute__((cleanup(sg_key_free)))

void sg_key_free(struct sg_key *key);

/* Whether the members of the JWK say that it may verify the algorithm: kty,
 * crv, alg, use, key_ops (RFC 7517 section 4). OpenSSL is not asked. */
bool sg_jwk_fits(const json_t *jwk, const struct sg_algorithm *algorithm);

/* Makes the key that the JWK describes. Errors: keys-unusable; crypto-unusable
 * when OpenSSL makes none of that type. */
int sg_jwk_import(const json_t *jwk, const struct sg_algorithm *algorithm,
                  struct sg_key *key, struct sg_error *error);

/* Makes the key of a PEM text. Errors: keys-unparseable, keys-unusable. */
int sg_pem_import(const char *text, size_t size, struct sg_key *key,
                  struct sg_error *error);

/* Whether an asymmetric key, by its kind and curve alone, is for the algorithm.
 */
bool sg_key_fits(const struct sg_key *key,
                 const struct sg_algorithm *algorithm);

/* Whether an RSA key is neither too small nor one that anybody can sign for.
 * Error: keys-unusable. */
int sg_key_check_rsa(const BIGNUM *modulus, const BIGNUM *exponent,
                     struct sg_error *error);

/* Chooses the one key of the set that fits; `kid` NULL: the token names none.
 * Refusals: SG_UNKNOWN_KEY; SG_UNAVAILABLE with crypto-unusable. */
enum sg_reason sg_jwks_choose(const struct sg_jwks *set,
                              const struct sg_algorithm *algorithm,
                              const char *kid, struct sg_key *key,
                              struct sg_error *error);

/* Any usable key of the set, with an algorithm of its. NULL when there is none;
 * the error is crypto-unusable then if OpenSSL is why, else empty. */
const struct sg_algorithm *sg_jwks_choose_any(const struct sg_jwks *set,
                                              struct sg_key *key,
                                              struct sg_error *error);

#endif
