/* SPDX-License-Identifier: MIT */
/*
 * One key: from a JWK (RFC 7517, RFC 7518 section 6, RFC 8037) to OpenSSL.
 *
 * The key decides what it may verify; a token's header merely agrees. So its
 * kind and curve are read from the key alone, and every length is checked
 * before OpenSSL sees it.
 */
#include "jwk.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>

/* NIST SP 800-131A; RFC 7518 section 3.3 asks for it. */
#define MIN_RSA_BITS 2048

/* OpenSSL verifies nothing larger (OPENSSL_RSA_MAX_MODULUS_BITS). */
#define MAX_RSA_BITS 16384

/* Exponents in use are 3 to 65537; OpenSSL takes 64 bits for large moduli. */
#define MAX_EXPONENT ((size_t)8)

/* Some issuers write a zero before it. */
#define MAX_MODULUS ((size_t)MAX_RSA_BITS / 8 + 1)

/* Bytes of a coordinate of P-521, the largest of all curves. */
#define MAX_COORDINATE ((size_t)66)

static void free_bignum(BIGNUM **number)
{
	BN_free(*number);
}

static void free_builder(OSSL_PARAM_BLD **builder)
{
	OSSL_PARAM_BLD_free(*builder);
}

static void free_params(OSSL_PARAM **params)
{
	OSSL_PARAM_free(*params);
}

static void free_context(EVP_PKEY_CTX **context)
{
	EVP_PKEY_CTX_free(*context);
}

#define auto_bignum __attribute__((cleanup(free_bignum)))
#define auto_builder __attribute__((cleanup(free_builder)))
#define auto_params __attribute__((cleanup(free_params)))
#define auto_context __attribute__((cleanup(free_context)))

void sg_key_free(struct sg_key *key)
{
	EVP_PKEY_free(key->pkey);
	if (key->secret != NULL)
		explicit_bzero(key->secret, key->secret_size);
	free(key->secret);
	*key = (struct sg_key){0};
}

/* ---- what a key is for -------------------------------------------------- */

/* A member that may be absent, or has to have this value. */
static bool agrees(const json_t *jwk, const char *name, const char *value)
{
	const json_t *member = json_object_get(jwk, name);
	const char *text = json_string_value(member);

	return member == NULL || (text != NULL && strcmp(text, value) == 0);
}

static bool allows_verify(const json_t *jwk)
{
	const json_t *operations = json_object_get(jwk, "key_ops");
	const json_t *operation;
	size_t i;

	if (operations == NULL)
		return true;
	json_array_foreach (operations, i, operation) {
		const char *text = json_string_value(operation);

		if (text != NULL && strcmp(text, "verify") == 0)
			return true;
	}
	return false;
}

/* The curve that a JWK names; NULL: none that is known. */
static const struct sg_curve *curve_of(const json_t *jwk, const char *kty)
{
	const char *crv = json_string_value(json_object_get(jwk, "crv"));

	return crv == NULL ? NULL : sg_curve_named(kty, crv);
}

/* Whether algorithm and curve go together; RSA and oct have none. */
static bool is_of_curve(const struct sg_algorithm *algorithm,
                        const struct sg_curve *curve)
{
	if (algorithm->scheme == SG_SCHEME_EDDSA)
		return curve != NULL;
	return algorithm->crv == NULL ||
	       (curve != NULL && strcmp(curve->crv, algorithm->crv) == 0);
}

bool sg_key_fits(const struct sg_key *key, const struct sg_algorithm *algorithm)
{
	const char *kty = key->curve != NULL ? key->curve->kty : "RSA";

	return strcmp(kty, algorithm->kty) == 0 &&
	       is_of_curve(algorithm, key->curve);
}

bool sg_jwk_fits(const json_t *jwk, const struct sg_algorithm *algorithm)
{
	const char *kty = json_string_value(json_object_get(jwk, "kty"));
	const json_t *kid = json_object_get(jwk, "kid");

	return kty != NULL && strcmp(kty, algorithm->kty) == 0 &&
	       (kid == NULL || json_is_string(kid)) &&
	       is_of_curve(algorithm, curve_of(jwk, kty)) &&
	       agrees(jwk, "alg", algorithm->name) &&
	       (agrees(jwk, "use", "sig") || agrees(jwk, "use", "jwt-svid")) &&
	       allows_verify(jwk);
}

/* ---- import ------------------------------------------------------------- */

static int fail_member(const char *name, struct sg_error *error)
{
	return sg_fail(error, "keys-unusable",
	               "its member %s is missing, not base64url, or of the wrong "
	               "length",
	               name);
}

/* Decodes a member into `bytes`, which has room for `room`. */
static int read_member(const json_t *jwk, const char *name,
                       unsigned char *bytes, size_t room, size_t *size,
                       struct sg_error *error)
{
	const json_t *member = json_object_get(jwk, name);
	const char *text = json_string_value(member);
	size_t length = json_string_length(member);

	if (text == NULL || length == 0 || SG_BASE64URL_BYTES(length) > room ||
	    sg_base64url_decode(text, length, bytes, size) != 0)
		return fail_member(name, error);
	return 0;
}

static int fail_import(struct sg_error *error)
{
	return sg_fail(error, "keys-unusable", "OpenSSL does not take it: %s",
	               ERR_reason_error_string(ERR_peek_last_error()));
}

/* No key of this type can be made, whatever is in it. */
static int fail_type(const char *type, struct sg_error *error)
{
	return sg_fail(error, "crypto-unusable",
	               "OpenSSL has no keys of the type %s: %s; see to its config "
	               "and providers (openssl list -providers)",
	               type, ERR_reason_error_string(ERR_peek_last_error()));
}

static int from_params(const char *type, OSSL_PARAM *params, struct sg_key *key,
                       struct sg_error *error)
{
	auto_context EVP_PKEY_CTX *context =
		EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

	if (context == NULL || EVP_PKEY_fromdata_init(context) != 1)
		return fail_type(type, error);
	if (EVP_PKEY_fromdata(context, &key->pkey, EVP_PKEY_PUBLIC_KEY, params) !=
	    1)
		return fail_import(error);
	return 0;
}

static int import_ec(const json_t *jwk, struct sg_key *key,
                     struct sg_error *error)
{
	size_t size = key->curve->size;
	/* SEC 1 section 2.3.3: 04, x, y. */
	unsigned char point[1 + 2 * MAX_COORDINATE] = {
		POINT_CONVERSION_UNCOMPRESSED};
	size_t x = 0;
	size_t y = 0;

	if (read_member(jwk, "x", point + 1, size, &x, error) != 0)
		return -1;
	if (x != size)
		return fail_member("x", error);
	if (read_member(jwk, "y", point + 1 + size, size, &y, error) != 0)
		return -1;
	if (y != size)
		return fail_member("y", error);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
	                                     (char *)key->curve->openssl, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point,
	                                      1 + 2 * size),
		OSSL_PARAM_construct_end(),
	};
	return from_params("EC", params, key, error);
}

static int import_okp(const json_t *jwk, struct sg_key *key,
                      struct sg_error *error)
{
	unsigned char bytes[MAX_COORDINATE];
	size_t size = 0;

	if (read_member(jwk, "x", bytes, key->curve->size, &size, error) != 0)
		return -1;
	if (size != key->curve->size)
		return fail_member("x", error);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, bytes, size),
		OSSL_PARAM_construct_end(),
	};
	return from_params(key->curve->openssl, params, key, error);
}

/* An even exponent, or 1, lets anybody sign. */
int sg_key_check_rsa(const BIGNUM *modulus, const BIGNUM *exponent,
                     struct sg_error *error)
{
	int bits = BN_num_bits(modulus);

	if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)
		return sg_fail(error, "keys-unusable",
		               "its RSA modulus has %d bits; the least is %d, the most "
		               "%d",
		               bits, MIN_RSA_BITS, MAX_RSA_BITS);
	if (!BN_is_odd(exponent) || BN_is_one(exponent) ||
	    BN_num_bytes(exponent) > (int)MAX_EXPONENT)
		return sg_fail(error, "keys-unusable",
		               "its RSA exponent is even, 1, or too large");
	return 0;
}

static int import_rsa(const json_t *jwk, struct sg_key *key,
                      struct sg_error *error)
{
	unsigned char modulus[MAX_MODULUS];
	unsigned char exponent[MAX_EXPONENT];
	size_t modulus_size = 0;
	size_t exponent_size = 0;

	if (read_member(jwk, "n", modulus, MAX_MODULUS, &modulus_size, error) !=
	        0 ||
	    read_member(jwk, "e", exponent, MAX_EXPONENT, &exponent_size, error) !=
	        0)
		return -1;
	auto_bignum BIGNUM *n = BN_bin2bn(modulus, (int)modulus_size, NULL);
	auto_bignum BIGNUM *e = BN_bin2bn(exponent, (int)exponent_size, NULL);
	auto_builder OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	auto_params OSSL_PARAM *params = NULL;

	if (n == NULL || e == NULL || builder == NULL)
		return sg_fail_memory(error);
	if (sg_key_check_rsa(n, e, error) != 0)
		return -1;
	if (OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) != 1)
		return fail_import(error);
	params = OSSL_PARAM_BLD_to_param(builder);
	if (params == NULL)
		return fail_import(error);
	return from_params("RSA", params, key, error);
}

static int import_secret(const json_t *jwk,
                         const struct sg_algorithm *algorithm,
                         struct sg_key *key, struct sg_error *error)
{
	const json_t *member = json_object_get(jwk, "k");
	const char *text = json_string_value(member);
	size_t length = json_string_length(member);

	if (text == NULL)
		return fail_member("k", error);
	key->secret = malloc(SG_BASE64URL_BYTES(length) + 1);
	if (key->secret == NULL)
		return sg_fail_memory(error);
	if (sg_base64url_decode(text, length, key->secret, &key->secret_size) != 0)
		return fail_member("k", error);
	/* RFC 7518 section 3.2: at least as long as the hash. */
	if (key->secret_size < algorithm->size)
		return sg_fail(error, "keys-unusable",
		               "its secret has %zu bytes; %s needs %zu",
		               key->secret_size, algorithm->name, algorithm->size);
	return 0;
}

int sg_jwk_import(const json_t *jwk, const struct sg_algorithm *algorithm,
                  struct sg_key *key, struct sg_error *error)
{
	key->curve = curve_of(jwk, algorithm->kty);
	switch (algorithm->scheme) {
	case SG_SCHEME_ECDSA:
		return import_ec(jwk, key, error);
	case SG_SCHEME_EDDSA:
		return import_okp(jwk, key, error);
	case SG_SCHEME_RSA:
	case SG_SCHEME_RSA_PSS:
		return import_rsa(jwk, key, error);
	case SG_SCHEME_HMAC:
		return import_secret(jwk, algorithm, key, error);
	}
	return sg_fail(error, "internal", "an algorithm without a scheme");
}
