/* SPDX-License-Identifier: MIT */
/*
 * What a decision costs, beside OpenSSL alone and libjwt, in one process: the
 * three take turns, and the median of the rounds is told.
 *
 * usage: decide KEYS PEM TOKEN MICROSECONDS (when to judge)
 * Prints three times in microseconds: ours, OpenSSL's, libjwt's (or "-").
 */
#include "lib/gate/gate.h"

#include <fcntl.h>
#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 25
#define RUNS 200
#define MAX_BYTES 8192

/* A text that was read, and its decoded parts. */
struct bytes {
	unsigned char data[MAX_BYTES];
	size_t size;
};

static char *read_text(const char *path, size_t *size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	char *text = file < 0 ? NULL : sg_read_all(file, MAX_BYTES, size);

	if (text == NULL) {
		perror(path);
		exit(1);
	}
	close(file);
	return text;
}

static void expect(bool met, const char *what)
{
	if (met)
		return;
	fprintf(stderr, "decide: %s\n", what);
	exit(1);
}

static void decode(const char *text, size_t size, struct bytes *bytes)
{
	expect(sg_base64url_decode(text, size, bytes->data, &bytes->size) == 0,
	       "not base64url");
}

/* ---- ours --------------------------------------------------------------- */

static struct sg_policy policy;
static struct sg_jwks *keys;
static struct sg_login login_attempt;

static void run_ours(void)
{
	struct sg_verdict verdict;

	sg_gate_judge(&policy, keys, &login_attempt, &verdict);
	expect(verdict.reason == SG_ACCEPTED, verdict.error.text);
	sg_verdict_free(&verdict);
}

/* ---- OpenSSL alone: the key's numbers and the signature, decoded ----------
 */

static const char *text;
static size_t text_size;
static struct bytes signature;
static struct bytes first;  /* x, or the modulus */
static struct bytes second; /* y, or the exponent */
static bool is_ec;
static bool is_rsa;

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	expect(EVP_PKEY_fromdata_init(context) == 1 &&
	           EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) ==
	               1,
	       "no key");
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *import_ec(void)
{
	unsigned char point[65] = {POINT_CONVERSION_UNCOMPRESSED};
	char group[] = "prime256v1";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point,
	                                      sizeof point),
		OSSL_PARAM_construct_end(),
	};

	memcpy(point + 1, first.data, 32);
	memcpy(point + 33, second.data, 32);
	return from_params("EC", params);
}

static EVP_PKEY *import_rsa(void)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_bin2bn(first.data, (int)first.size, NULL);
	BIGNUM *e = BN_bin2bn(second.data, (int)second.size, NULL);

	OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n);
	OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY *key = from_params("RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	BN_free(n);
	BN_free(e);
	return key;
}

/* JWS has the numbers side by side, OpenSSL wants DER. */
static size_t to_der(unsigned char *der)
{
	ECDSA_SIG *pair = ECDSA_SIG_new();

	ECDSA_SIG_set0(pair, BN_bin2bn(signature.data, 32, NULL),
	               BN_bin2bn(signature.data + 32, 32, NULL));
	int size = i2d_ECDSA_SIG(pair, &der);
	ECDSA_SIG_free(pair);
	return (size_t)size;
}

static void run_openssl(void)
{
	unsigned char der[80];
	size_t size = is_ec ? to_der(der) : signature.size;
	EVP_PKEY *key = is_ec    ? import_ec()
	                : is_rsa ? import_rsa()
	                         : EVP_PKEY_new_raw_public_key_ex(
								   NULL, "ED25519", NULL, first.data, 32);
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	expect(EVP_DigestVerifyInit_ex(context, NULL,
	                               is_ec || is_rsa ? "SHA256" : NULL, NULL,
	                               NULL, key, NULL) == 1 &&
	           EVP_DigestVerify(context, is_ec ? der : signature.data, size,
	                            (const unsigned char *)text, text_size) == 1,
	       "OpenSSL refuses it");
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
}

static void prepare_openssl(const json_t *jwk, const char *token)
{
	const char *kty = json_string_value(json_object_get(jwk, "kty"));
	const char *dot = strrchr(token, '.');

	is_ec = strcmp(kty, "EC") == 0;
	is_rsa = strcmp(kty, "RSA") == 0;
	const json_t *one = json_object_get(jwk, is_rsa ? "n" : "x");
	const json_t *other = json_object_get(jwk, is_rsa ? "e" : "y");
	decode(json_string_value(one), json_string_length(one), &first);
	if (other != NULL)
		decode(json_string_value(other), json_string_length(other), &second);
	text = token;
	text_size = (size_t)(dot - token);
	decode(dot + 1, strlen(dot + 1), &signature);
}

/* ---- libjwt ------------------------------------------------------------- */

static const char *token_text;
static const char *pem;
static size_t pem_size;

static bool run_libjwt_once(void)
{
	jwt_t *jwt = NULL;
	int failed =
		jwt_decode(&jwt, token_text, (const unsigned char *)pem, (int)pem_size);

	if (failed == 0)
		jwt_free(jwt);
	return failed == 0;
}

static void run_libjwt(void)
{
	expect(run_libjwt_once(), "libjwt refuses it");
}

/* ---- all ---------------------------------------------------------------- */

static int compare(const void *one, const void *other)
{
	double difference = *(const double *)one - *(const double *)other;

	return difference < 0 ? -1 : difference > 0;
}

static double measure(void (*run)(void))
{
	sg_usec start = sg_time_elapsed();

	for (int i = 0; i < RUNS; i++)
		run();
	return (double)(sg_time_elapsed() - start) / RUNS;
}

int main(int argc, char **argv)
{
	struct sg_error error = {0};
	double ours[ROUNDS];
	double openssl[ROUNDS];
	double libjwt[ROUNDS] = {0};
	size_t keys_size = 0;
	size_t token_size = 0;

	expect(argc == 5, "usage: decide KEYS PEM TOKEN MICROSECONDS");
	char *set = read_text(argv[1], &keys_size);
	char *token = read_text(argv[3], &token_size);
	char *public = read_text(argv[2], &pem_size);
	json_t *json = json_loads(set, 0, NULL);

	pem = public;
	token_text = token;
	expect(sg_policy_begin(&policy) == 0 &&
	           sg_jwks_parse(set, keys_size, &keys, &error) == 0,
	       error.text);
	policy.issuer = strdup("https://issuer.example");
	login_attempt = (struct sg_login){
		.token = token,
		.size = token_size,
		.user = "alice",
		.now = strtoll(argv[4], NULL, 10),
	};
	prepare_openssl(json_array_get(json_object_get(json, "keys"), 0), token);
	bool has_libjwt = run_libjwt_once();
	for (int i = 0; i < ROUNDS; i++) {
		ours[i] = measure(run_ours);
		openssl[i] = measure(run_openssl);
		if (has_libjwt)
			libjwt[i] = measure(run_libjwt);
	}
	qsort(ours, ROUNDS, sizeof *ours, compare);
	qsort(openssl, ROUNDS, sizeof *openssl, compare);
	qsort(libjwt, ROUNDS, sizeof *libjwt, compare);
	printf("%.1f %.1f ", ours[ROUNDS / 2], openssl[ROUNDS / 2]);
	printf(has_libjwt ? "%.1f\n" : "-\n", libjwt[ROUNDS / 2]);
	json_decref(json);
	sg_jwks_free(keys);
	sg_policy_free(&policy);
	free(set);
	free(token);
	free(public);
	return 0;
}
