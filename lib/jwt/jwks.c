/* SPDX-License-Identifier: MIT */
/*
 * Key sets, and the choice of the one key that a token is verified with.
 *
 * A set is kept as JSON: a login needs one key of it, and making OpenSSL keys
 * of a thousand would cost more than all the rest.
 */
#include "jwk.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

/* Ten times what the largest issuers publish. */
#define MAX_KEYS ((size_t)1000)

struct sg_jwks {
	json_t *json; /* a list of JWKs; NULL: the key is PEM */
	struct sg_key pem;
};

#define auto_set __attribute__((cleanup(free_set)))

/* Members that are secret: of `oct` keys, and of private ones. */
static const char *const secret_members[] = {"k",  "d",  "p", "q",
                                             "dp", "dq", "qi"};

static void wipe(const json_t *jwk)
{
	for (size_t i = 0; i < sizeof secret_members / sizeof *secret_members;
	     i++) {
		const json_t *member = json_object_get(jwk, secret_members[i]);

		if (json_is_string(member))
			explicit_bzero((void *)(uintptr_t)json_string_value(member),
			               json_string_length(member));
	}
}

void sg_jwks_free(struct sg_jwks *set)
{
	const json_t *jwk;
	size_t i;

	if (set == NULL)
		return;
	json_array_foreach (set->json, i, jwk)
		wipe(jwk);
	json_decref(set->json);
	sg_key_free(&set->pem);
	free(set);
}

static void free_set(struct sg_jwks **set)
{
	sg_jwks_free(*set);
}

/* The list of keys in a text: a set's, or one of a single key. */
static json_t *read_json(const char *bytes, size_t size, struct sg_error *error)
{
	json_error_t reason;
	json_auto_t *json =
		json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &reason);
	json_t *keys = json_object_get(json, "keys");

	if (json == NULL)
		sg_fail(error, "keys-unparseable",
		        "it is neither JSON nor PEM: line %d, column %d: %s",
		        reason.line, reason.column, sg_json_reason(&reason));
	else if (json_array_size(keys) > MAX_KEYS)
		sg_fail(error, "keys-too-many",
		        "it has %zu keys, and %zu are the most; leave those that are "
		        "in use",
		        json_array_size(keys), MAX_KEYS);
	else if (json_is_array(keys))
		return json_incref(keys);
	else if (keys != NULL || !json_is_string(json_object_get(json, "kty")))
		sg_fail(error, "keys-unparseable",
		        "it is not a JWK set; it needs a list \"keys\"");
	else
		return json_pack("[O]", json);
	return NULL;
}

static bool is_blank(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* JSON has a brace first; PEM may have words before its block. */
static bool is_pem(const char *bytes, size_t size)
{
	static const char begin[] = "-----BEGIN ";
	size_t blanks = 0;

	while (blanks < size && is_blank(bytes[blanks]))
		blanks++;
	return blanks < size && bytes[blanks] != '{' &&
	       memmem(bytes, size, begin, strlen(begin)) != NULL;
}

int sg_jwks_parse(const char *bytes, size_t size, struct sg_jwks **set,
                  struct sg_error *error)
{
	auto_set struct sg_jwks *made = calloc(1, sizeof *made);
	int failed;

	if (made == NULL)
		return sg_fail_memory(error);
	ERR_set_mark();
	if (is_pem(bytes, size)) {
		failed = sg_pem_import(bytes, size, &made->pem, error);
	} else {
		made->json = read_json(bytes, size, error);
		failed = made->json == NULL ? -1 : 0;
	}
	ERR_pop_to_mark();
	if (failed != 0)
		return -1;
	*set = made;
	made = NULL;
	return 0;
}

bool sg_jwks_has_private_key(const struct sg_jwks *set)
{
	const json_t *jwk;
	size_t i;

	json_array_foreach (set->json, i, jwk)
		if (json_object_get(jwk, "d") != NULL)
			return true;
	return false;
}

/* ---- choice ------------------------------------------------------------- */

static enum sg_reason choose_pem(const struct sg_jwks *set,
                                 const struct sg_algorithm *algorithm,
                                 struct sg_key *key, struct sg_error *error)
{
	if (!sg_key_fits(&set->pem, algorithm))
		return sg_refuse(error, SG_UNKNOWN_KEY,
		                 "the PEM key is not one for %s; the issuer signs with "
		                 "another key, or the wrong key was installed",
		                 algorithm->name);
	*key = set->pem;
	return EVP_PKEY_up_ref(key->pkey) == 1 ? SG_ACCEPTED
	                                       : sg_refuse_memory(error);
}

static bool has_kid(const json_t *jwk, const char *kid)
{
	const char *own = json_string_value(json_object_get(jwk, "kid"));

	return own != NULL && strcmp(own, kid) == 0;
}

/* A broken OpenSSL is not a wrong key. */
static bool is_crypto(const struct sg_error *error)
{
	return strcmp(error->code, "crypto-unusable") == 0;
}

static enum sg_reason refuse_choice(const struct sg_algorithm *algorithm,
                                    const char *kid, size_t named,
                                    size_t usable,
                                    const struct sg_error *reason,
                                    struct sg_error *error)
{
	char token[SG_QUOTED_SIZE + 32] = "the token names no key";

	if (kid != NULL) {
		char quoted[SG_QUOTED_SIZE];

		sg_quote(kid, quoted);
		snprintf(token, sizeof token, "the token names the key %s", quoted);
	}
	if (named == 0)
		return sg_refuse(
			error, SG_UNKNOWN_KEY,
			"%s, and the key set has none such; fetch the issuer's "
			"set again, its keys may have changed",
			token);
	if (usable > 1)
		return sg_refuse(error, SG_UNKNOWN_KEY,
		                 "%s, and several of the set fit; each key needs a kid "
		                 "of its own, which the token has to name",
		                 token);
	if (is_crypto(reason)) {
		sg_fail(error, reason->code, "%s, and that cannot be used: %s", token,
		        reason->text);
		return SG_UNAVAILABLE;
	}
	if (reason->code[0] != '\0')
		return sg_refuse(error, SG_UNKNOWN_KEY,
		                 "%s, and that cannot be used: %s", token,
		                 reason->text);
	return sg_refuse(
		error, SG_UNKNOWN_KEY,
		"%s, and by kty, crv, alg, use and key_ops none such of the "
		"set is for %s",
		token, algorithm->name);
}

enum sg_reason sg_jwks_choose(const struct sg_jwks *set,
                              const struct sg_algorithm *algorithm,
                              const char *kid, struct sg_key *key,
                              struct sg_error *error)
{
	struct sg_error reason = {0};
	size_t named = 0;
	size_t usable = 0;
	const json_t *jwk;
	size_t i;

	if (set->json == NULL)
		return choose_pem(set, algorithm, key, error);
	json_array_foreach (set->json, i, jwk) {
		sg_auto_key struct sg_key found = {0};

		if (kid != NULL && !has_kid(jwk, kid))
			continue;
		named++;
		if (!sg_jwk_fits(jwk, algorithm) ||
		    sg_jwk_import(jwk, algorithm, &found, &reason) != 0)
			continue;
		if (++usable > 1)
			break;
		*key = found;
		found = (struct sg_key){0};
	}
	return usable == 1
	           ? SG_ACCEPTED
	           : refuse_choice(algorithm, kid, named, usable, &reason, error);
}

const struct sg_algorithm *sg_jwks_choose_any(const struct sg_jwks *set,
                                              struct sg_key *key,
                                              struct sg_error *error)
{
	struct sg_error reason = {0};
	const json_t *jwk;
	size_t i;

	*error = reason;
	for (size_t k = 0; set->json == NULL && k < sg_algorithm_count; k++)
		if (choose_pem(set, &sg_algorithm_table[k], key, &reason) == 0)
			return &sg_algorithm_table[k];
	json_array_foreach (set->json, i, jwk)
		for (size_t k = 0; k < sg_algorithm_count; k++) {
			if (!sg_jwk_fits(jwk, &sg_algorithm_table[k]))
				continue;
			if (sg_jwk_import(jwk, &sg_algorithm_table[k], key, &reason) == 0)
				return &sg_algorithm_table[k];
			if (is_crypto(&reason))
				*error = reason;
			sg_key_free(key);
		}
	return NULL;
}
