/* SPDX-License-Identifier: MIT */
/*
 * A public key in PEM (RFC 7468), which is a key set of one.
 *
 * A private key here is a mistake worth a refusal: it belongs on the issuer
 * alone. A certificate is one too: nobody would check its validity.
 */
#include "jwk.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

/* What PEM_read_bio gives. */
struct block {
	char *name;
	char *header;
	unsigned char *bytes;
	long size;
};

static void free_block(struct block *block)
{
	OPENSSL_free(block->name);
	OPENSSL_free(block->header);
	OPENSSL_clear_free(block->bytes, (size_t)block->size);
}

static void free_bio(BIO **bio)
{
	BIO_free(*bio);
}

#define auto_block __attribute__((cleanup(free_block)))
#define auto_bio __attribute__((cleanup(free_bio)))

static int read_block(const char *text, size_t size, struct block *block,
                      struct sg_error *error)
{
	auto_bio BIO *bio = BIO_new_mem_buf(text, (int)size);
	auto_block struct block other = {0};

	if (bio == NULL)
		return sg_fail_memory(error);
	if (PEM_read_bio(bio, &block->name, &block->header, &block->bytes,
	                 &block->size) != 1)
		return sg_fail(error, "keys-unparseable",
		               "it is not a whole PEM block: %s",
		               ERR_reason_error_string(ERR_peek_last_error()));
	if (PEM_read_bio(bio, &other.name, &other.header, &other.bytes,
	                 &other.size) == 1)
		return sg_fail(error, "keys-unusable",
		               "it has several PEM blocks; leave one public key, or "
		               "make a JWK set of them");
	return 0;
}

static int check_rsa(const struct sg_key *key, struct sg_error *error)
{
	BIGNUM *modulus = NULL;
	BIGNUM *exponent = NULL;
	int failed = -1;

	if (EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_N, &modulus) ==
	        1 &&
	    EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1)
		failed = sg_key_check_rsa(modulus, exponent, error);
	else
		sg_fail_memory(error);
	BN_free(modulus);
	BN_free(exponent);
	return failed;
}

/* Finds out which curve it is on, or checks it when it is RSA. */
static int examine(struct sg_key *key, struct sg_error *error)
{
	const char *type = EVP_PKEY_get0_type_name(key->pkey);
	char group[32] = "";

	if (EVP_PKEY_is_a(key->pkey, "RSA"))
		return check_rsa(key, error);
	if (EVP_PKEY_is_a(key->pkey, "EC") &&
	    EVP_PKEY_get_group_name(key->pkey, group, sizeof group, NULL) == 1)
		type = group;
	key->curve = type == NULL ? NULL : sg_curve_of_openssl(type);
	if (key->curve == NULL)
		return sg_fail(error, "keys-unusable",
		               "its key fits no algorithm; use RSA, P-256, P-384, "
		               "P-521, Ed25519 or Ed448");
	return 0;
}

int sg_pem_import(const char *text, size_t size, struct sg_key *key,
                  struct sg_error *error)
{
	auto_block struct block block = {0};

	if (read_block(text, size, &block, error) != 0)
		return -1;
	const char *name = block.name != NULL ? block.name : "";
	if (strstr(name, "PRIVATE KEY") != NULL)
		return sg_fail(error, "keys-unusable",
		               "it is a private key, which belongs on the issuer only; "
		               "put its public key here (openssl pkey -pubout)");
	if (strstr(name, "CERTIFICATE") != NULL)
		return sg_fail(error, "keys-unusable",
		               "it is a certificate; put its public key here (openssl "
		               "x509 -pubkey -noout)");

	const unsigned char *bytes = block.bytes;
	if (strcmp(name, "PUBLIC KEY") == 0)
		key->pkey = d2i_PUBKEY(NULL, &bytes, block.size);
	else if (strcmp(name, "RSA PUBLIC KEY") == 0)
		key->pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &bytes, block.size);
	if (key->pkey == NULL || bytes != block.bytes + block.size)
		return sg_fail(error, "keys-unusable",
		               "its PEM block is not a public key that OpenSSL takes");
	return examine(key, error);
}
