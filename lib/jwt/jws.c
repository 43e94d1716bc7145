/* SPDX-License-Identifier: MIT */
/*
 * Compact JWS (RFC 7515): taken apart, and verified.
 *
 * The header is what an attacker writes first. It chooses among keys, never
 * what a key is for; keys that it carries or points to are not looked at; and
 * what it says has to be understood (`crit`, `b64`) is refused, since nothing
 * is.
 */
#include "jwk.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

/* Of the header, encoded: it is parsed before anything is known of the token,
 * so whoever sends it must not choose how much that costs. */
#define MAX_HEADER ((size_t)4096)

/* The largest signature: RSA with 16384 bits. */
#define MAX_SIGNATURE ((size_t)2048)

/* DER adds at most nine bytes to the halves of an ECDSA signature. */
#define MAX_DER ((size_t)132 + 9)

/* The largest hash: SHA-512. */
#define MAX_HASH ((size_t)64)

static void free_context(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

static void free_ecdsa(ECDSA_SIG **signature)
{
	ECDSA_SIG_free(*signature);
}

#define auto_context __attribute__((cleanup(free_context)))
#define auto_ecdsa __attribute__((cleanup(free_ecdsa)))

/* ---- taking apart ------------------------------------------------------- */

/* Where the parts of a token begin and end. */
struct part {
	const char *text;
	size_t size;
};

static bool has_control_character(const char *token, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)token[i] < ' ' || token[i] == 127)
			return true;
	return false;
}

static enum sg_reason split(const char *token, size_t size, struct sg_jws *jws,
                            struct part parts[3], struct sg_error *error)
{
	const char *end = token + size;
	size_t count = 0;

	if (size == 0)
		return sg_refuse(error, SG_MALFORMED, "the token is empty");
	if (size > SG_MAX_TOKEN)
		return sg_refuse(error, SG_MALFORMED,
		                 "the token is longer than %zu bytes", SG_MAX_TOKEN);
	jws->junk = has_control_character(token, size);
	if (jws->junk)
		return sg_refuse(error, SG_MALFORMED,
		                 "it holds control characters, which no token does; it "
		                 "has to be one line without its end");
	for (const char *part = token; part <= end;) {
		const char *dot = memchr(part, '.', (size_t)(end - part));
		const char *next = dot != NULL ? dot : end;

		if (count < 3)
			parts[count] = (struct part){part, (size_t)(next - part)};
		count++;
		part = next + 1;
	}
	if (count == 5)
		return sg_refuse(error, SG_MALFORMED,
		                 "it has five parts: an encrypted token (JWE), where a "
		                 "signed one is asked for");
	if (count != 3)
		return sg_refuse(
			error, SG_MALFORMED,
			"it has %zu parts between dots, where a compact JWS has "
			"three",
			count);
	return SG_ACCEPTED;
}

/* Decodes a part into memory of its own. */
static enum sg_reason decode(const struct part *part, const char *name,
                             unsigned char **bytes, size_t *size,
                             struct sg_error *error)
{
	*bytes = malloc(SG_BASE64URL_BYTES(part->size) + 1);
	if (*bytes == NULL)
		return sg_refuse_memory(error);
	if (sg_base64url_decode(part->text, part->size, *bytes, size) != 0)
		return sg_refuse(
			error, SG_MALFORMED,
			"its %s is not base64url as RFC 7515 wants it, without "
			"padding and stray bits",
			name);
	return SG_ACCEPTED;
}

static enum sg_reason read_header(const struct part *part, struct sg_jws *jws,
                                  struct sg_error *error)
{
	sg_auto_free unsigned char *bytes = NULL;
	size_t size = 0;
	json_error_t reason;

	if (part->size > MAX_HEADER)
		return sg_refuse(error, SG_MALFORMED,
		                 "its header is longer than %zu bytes", MAX_HEADER);
	enum sg_reason refused = decode(part, "header", &bytes, &size, error);
	if (refused != SG_ACCEPTED)
		return refused;
	jws->header =
		json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, &reason);
	if (!json_is_object(jws->header))
		return sg_refuse_object(jws->header, &reason, "header", error);
	if (json_object_get(jws->header, "crit") != NULL)
		return sg_refuse(error, SG_MALFORMED,
		                 "its header has crit: it asks for extensions that are "
		                 "not known here");
	if (json_object_get(jws->header, "b64") != NULL)
		return sg_refuse(
			error, SG_MALFORMED,
			"its header has b64 (RFC 7797), which no JWT may have");

	const json_t *kid = json_object_get(jws->header, "kid");
	if (kid != NULL && !json_is_string(kid))
		return sg_refuse(error, SG_MALFORMED, "its header's kid is not a text");
	jws->kid = json_string_value(kid);
	if (!json_is_string(json_object_get(jws->header, "alg")))
		return sg_refuse(error, SG_MALFORMED,
		                 "its header's alg is missing, or not a text");
	return SG_ACCEPTED;
}

static enum sg_reason find_algorithm(struct sg_jws *jws, struct sg_error *error)
{
	const char *name = json_string_value(json_object_get(jws->header, "alg"));
	char quoted[SG_QUOTED_SIZE];

	jws->algorithm = sg_algorithm_named(name);
	if (jws->algorithm != NULL)
		return SG_ACCEPTED;
	sg_quote(name, quoted);
	return sg_refuse(error, SG_ALGORITHM,
	                 "its algorithm %s is not one that is known here", quoted);
}

enum sg_reason sg_jws_parse(const char *token, size_t size, struct sg_jws *jws,
                            struct sg_error *error)
{
	struct part parts[3] = {{0}};

	enum sg_reason refused = split(token, size, jws, parts, error);
	if (refused == SG_ACCEPTED)
		refused = read_header(&parts[0], jws, error);
	if (refused == SG_ACCEPTED)
		refused = decode(&parts[1], "payload", &jws->payload,
		                 &jws->payload_size, error);
	if (refused == SG_ACCEPTED)
		refused = decode(&parts[2], "signature", &jws->signature,
		                 &jws->signature_size, error);
	if (refused != SG_ACCEPTED)
		return refused;
	jws->text = token;
	jws->text_size = parts[0].size + 1 + parts[1].size;
	return find_algorithm(jws, error);
}

/* With the other parts, a signature is the token: whoever finds it in memory
 * could log in. */
void sg_jws_free(struct sg_jws *jws)
{
	json_decref(jws->header);
	if (jws->payload != NULL)
		explicit_bzero(jws->payload, jws->payload_size);
	free(jws->payload);
	if (jws->signature != NULL)
		explicit_bzero(jws->signature, jws->signature_size);
	free(jws->signature);
	*jws = (struct sg_jws){0};
}

/* ---- verifying ---------------------------------------------------------- */

/* What is signed, and by what. */
struct statement {
	const struct sg_algorithm *algorithm;
	const char *text;
	size_t text_size;
	const unsigned char *signature;
	size_t signature_size;
};

/* The DER that OpenSSL wants for the halves r and s. */
static int to_der(const struct statement *statement, unsigned char *der)
{
	auto_ecdsa ECDSA_SIG *signature = ECDSA_SIG_new();
	int half = (int)statement->signature_size / 2;
	BIGNUM *r = BN_bin2bn(statement->signature, half, NULL);
	BIGNUM *s = BN_bin2bn(statement->signature + half, half, NULL);

	if (signature == NULL || r == NULL || s == NULL ||
	    ECDSA_SIG_set0(signature, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return -1;
	}
	return i2d_ECDSA_SIG(signature, &der);
}

/* What came of a verification. */
enum outcome {
	VALID,
	INVALID,
	IMPOSSIBLE, /* OpenSSL, not the signature, is at fault */
};

static enum outcome verify_asymmetric(const struct statement *statement,
                                      EVP_PKEY *pkey)
{
	const struct sg_algorithm *algorithm = statement->algorithm;
	const unsigned char *signature = statement->signature;
	size_t size = statement->signature_size;
	auto_context EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *options = NULL; /* the context's */
	unsigned char der[MAX_DER];

	if (algorithm->scheme == SG_SCHEME_ECDSA) {
		int der_size = to_der(statement, der);

		if (der_size < 0)
			return IMPOSSIBLE;
		signature = der;
		size = (size_t)der_size;
	}
	if (context == NULL ||
	    EVP_DigestVerifyInit_ex(context, &options, algorithm->digest, NULL,
	                            NULL, pkey, NULL) != 1)
		return IMPOSSIBLE;
	/* RFC 7518 section 3.5: MGF1 with the same hash, salt as long as it. */
	if (algorithm->scheme == SG_SCHEME_RSA_PSS &&
	    (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
	     EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) !=
	         1))
		return IMPOSSIBLE;
	bool valid = EVP_DigestVerify(context, signature, size,
	                              (const unsigned char *)statement->text,
	                              statement->text_size) == 1;
	explicit_bzero(der, sizeof der);
	return valid ? VALID : INVALID;
}

static enum outcome verify_secret(const struct statement *statement,
                                  const struct sg_key *key)
{
	unsigned char hash[MAX_HASH];
	size_t size = 0;

	if (EVP_Q_mac(NULL, "HMAC", NULL, statement->algorithm->digest, NULL,
	              key->secret, key->secret_size,
	              (const unsigned char *)statement->text, statement->text_size,
	              hash, sizeof hash, &size) == NULL)
		return IMPOSSIBLE;
	bool equal = CRYPTO_memcmp(hash, statement->signature, size) == 0;
	explicit_bzero(hash, sizeof hash);
	return equal ? VALID : INVALID;
}

static enum outcome verify(const struct statement *statement,
                           const struct sg_key *key)
{
	return key->pkey != NULL ? verify_asymmetric(statement, key->pkey)
	                         : verify_secret(statement, key);
}

/* The length that a signature with this key has. */
static size_t signature_size(const struct sg_algorithm *algorithm,
                             const struct sg_key *key)
{
	return algorithm->size != 0 ? algorithm->size
	                            : (size_t)EVP_PKEY_get_size(key->pkey);
}

static enum sg_reason verify_with(struct sg_jws *jws, const struct sg_key *key,
                                  struct sg_error *error)
{
	const struct statement statement = {
		.algorithm = jws->algorithm,
		.text = jws->text,
		.text_size = jws->text_size,
		.signature = jws->signature,
		.signature_size = jws->signature_size,
	};
	size_t size = signature_size(jws->algorithm, key);

	/* Without this check a long signature would overrun its DER, and a short
	 * one be read beyond its end. */
	if (jws->signature_size != size)
		return sg_refuse(error, SG_BAD_SIGNATURE,
		                 "the signature has %zu bytes, where %s with this key "
		                 "has %zu",
		                 jws->signature_size, jws->algorithm->name, size);
	jws->tried = true;
	switch (verify(&statement, key)) {
	case VALID:
		return SG_ACCEPTED;
	case IMPOSSIBLE:
		sg_fail(error, "crypto-unusable",
		        "OpenSSL cannot verify %s: %s; see to its config and "
		        "providers (openssl list -providers)",
		        jws->algorithm->name,
		        ERR_reason_error_string(ERR_peek_last_error()));
		return SG_UNAVAILABLE;
	case INVALID:
		break;
	}
	return sg_refuse(
		error, SG_BAD_SIGNATURE,
		"the %s signature does not hold; the token was altered, or "
		"signed with another key of that name",
		jws->algorithm->name);
}

enum sg_reason sg_jws_verify(struct sg_jws *jws, const struct sg_jwks *set,
                             struct sg_error *error)
{
	sg_auto_key struct sg_key key = {0};

	/* The program that has loaded us may read OpenSSL's errors, too. */
	ERR_set_mark();
	enum sg_reason refused =
		sg_jwks_choose(set, jws->algorithm, jws->kid, &key, error);
	if (refused == SG_ACCEPTED)
		refused = verify_with(jws, &key, error);
	ERR_pop_to_mark();
	return refused;
}

int sg_jws_verify_nothing(const char *token, size_t size,
                          const struct sg_jwks *set, struct sg_error *error)
{
	unsigned char signature[MAX_SIGNATURE] = {0};
	sg_auto_key struct sg_key key = {0};

	ERR_set_mark();
	const struct sg_algorithm *algorithm = sg_jwks_choose_any(set, &key, error);
	if (algorithm != NULL) {
		const struct statement statement = {
			.algorithm = algorithm,
			.text = token,
			.text_size = size,
			.signature = signature,
			.signature_size = signature_size(algorithm, &key),
		};

		/* Numbers in every scheme's range, so that the work is done. */
		memset(signature, 1, statement.signature_size - 1);
		(void)verify(&statement, &key);
	}
	ERR_pop_to_mark();
	return error->code[0] == '\0' ? 0 : -1;
}
