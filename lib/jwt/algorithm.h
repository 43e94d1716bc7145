/* SPDX-License-Identifier: MIT */
/* The algorithms as a table: what keys and signatures are checked against. */
#ifndef SG_JWT_ALGORITHM_H
#define SG_JWT_ALGORITHM_H

#include "jwt.h"

enum sg_scheme {
	SG_SCHEME_ECDSA,
	SG_SCHEME_EDDSA,
	SG_SCHEME_RSA, /* RSASSA-PKCS1-v1_5 */
	SG_SCHEME_RSA_PSS,
	SG_SCHEME_HMAC,
};

/* An algorithm, and the keys that it is bound to. */
struct sg_algorithm {
	const char *name; /* `alg` */
	const char *kty;
	const char *crv;    /* NULL: any of its kty, or none */
	const char *digest; /* for OpenSSL; NULL: the scheme has its own */
	enum sg_scheme scheme;
	size_t size; /* ECDSA: bytes of a signature; HMAC: bytes of the hash */
};

/* A curve of a JWK (RFC 7518 section 6.2, RFC 8037 section 2). */
struct sg_curve {
	const char *kty;
	const char *crv;
	const char *openssl; /* its group there, or its key type */
	size_t size;         /* bytes of a coordinate, or of the key */
};

extern const struct sg_algorithm sg_algorithm_table[];
extern const size_t sg_algorithm_count;

/* NULL when there is no such curve. */
const struct sg_curve *sg_curve_named(const char *kty, const char *crv);

/* The same by OpenSSL's name of it. */
const struct sg_curve *sg_curve_of_openssl(const char *name);

#endif
