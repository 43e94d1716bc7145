/* SPDX-License-Identifier: MIT */
/* The algorithms and curves that are known (RFC 7518, RFC 8037). */
#include "algorithm.h"

#include <string.h>

const struct sg_algorithm sg_algorithm_table[] = {
	{"ES256", "EC", "P-256", "SHA256", SG_SCHEME_ECDSA, 64},
	{"ES384", "EC", "P-384", "SHA384", SG_SCHEME_ECDSA, 96},
	{"ES512", "EC", "P-521", "SHA512", SG_SCHEME_ECDSA, 132},
	{"EdDSA", "OKP", NULL, NULL, SG_SCHEME_EDDSA, 0},
	{"RS256", "RSA", NULL, "SHA256", SG_SCHEME_RSA, 0},
	{"RS384", "RSA", NULL, "SHA384", SG_SCHEME_RSA, 0},
	{"RS512", "RSA", NULL, "SHA512", SG_SCHEME_RSA, 0},
	{"PS256", "RSA", NULL, "SHA256", SG_SCHEME_RSA_PSS, 0},
	{"PS384", "RSA", NULL, "SHA384", SG_SCHEME_RSA_PSS, 0},
	{"PS512", "RSA", NULL, "SHA512", SG_SCHEME_RSA_PSS, 0},
	{"HS256", "oct", NULL, "SHA256", SG_SCHEME_HMAC, 32},
	{"HS384", "oct", NULL, "SHA384", SG_SCHEME_HMAC, 48},
	{"HS512", "oct", NULL, "SHA512", SG_SCHEME_HMAC, 64},
};

const size_t sg_algorithm_count =
	sizeof sg_algorithm_table / sizeof *sg_algorithm_table;

static const struct sg_curve curves[] = {
	{"EC", "P-256", "prime256v1", 32}, {"EC", "P-384", "secp384r1", 48},
	{"EC", "P-521", "secp521r1", 66},  {"OKP", "Ed25519", "ED25519", 32},
	{"OKP", "Ed448", "ED448", 57},
};

const struct sg_algorithm *sg_algorithm_named(const char *name)
{
	for (size_t i = 0; i < sg_algorithm_count; i++)
		if (strcmp(sg_algorithm_table[i].name, name) == 0)
			return &sg_algorithm_table[i];
	return NULL;
}

const char *sg_algorithm_name(const struct sg_algorithm *algorithm)
{
	return algorithm->name;
}

sg_algorithms sg_algorithm_bit(const struct sg_algorithm *algorithm)
{
	return (sg_algorithms)1 << (algorithm - sg_algorithm_table);
}

sg_algorithms sg_algorithms_asymmetric(void)
{
	sg_algorithms all = 0;

	for (size_t i = 0; i < sg_algorithm_count; i++)
		if (sg_algorithm_table[i].scheme != SG_SCHEME_HMAC)
			all |= sg_algorithm_bit(&sg_algorithm_table[i]);
	return all;
}

const struct sg_curve *sg_curve_named(const char *kty, const char *crv)
{
	for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
		if (strcmp(curves[i].kty, kty) == 0 && strcmp(curves[i].crv, crv) == 0)
			return &curves[i];
	return NULL;
}

const struct sg_curve *sg_curve_of_openssl(const char *name)
{
	for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
		if (strcmp(curves[i].openssl, name) == 0)
			return &curves[i];
	return NULL;
}
