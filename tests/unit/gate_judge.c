/* SPDX-License-Identifier: MIT */
/*
 * The decision as tables: the order of the reasons, whose clock it was, and
 * what a bad clock means. Tokens are signed here, so that all behind a
 * signature is seen without another process.
 */
#include "check.h"

#include "lib/gate/gate.h"
#include "tests/base64url.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* 2033-05-18T03:33:20Z */
#define NOW ((sg_usec)2000000000 * SG_SECOND)

#define KEY "a secret as long as the hash is!"
#define KEY_JWK                                                                \
	"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k\",\"k\":"                         \
	"\"YSBzZWNyZXQgYXMgbG9uZyBhcyB0aGUgaGFzaCBpcyE\"}]}"

/* Claims that every policy here accepts at NOW. */
#define GOOD                                                                   \
	"{\"iss\":\"joe\",\"sub\":\"alice\",\"aud\":\"here\",\"groups\":[],"       \
	"\"jti\":\"1\",\"iat\":1999999990,\"nbf\":1999999990,\"exp\":2000000100}"

/* Signs with HS256, by that header. */
static size_t sign(const char *header, const char *payload, char *token)
{
	unsigned char mac[32];
	size_t size = 0;
	size_t length = encode(header, strlen(header), token);

	token[length++] = '.';
	length += encode(payload, strlen(payload), token + length);
	assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, KEY,
	                          strlen(KEY), (unsigned char *)token, length, mac,
	                          sizeof mac, &size));
	token[length++] = '.';
	return length + encode(mac, size, token + length);
}

static struct sg_jwks *make_keys(void)
{
	struct sg_jwks *keys = NULL;
	struct sg_error error;

	assert_done(sg_jwks_parse(KEY_JWK, strlen(KEY_JWK), &keys, &error), error);
	return keys;
}

/* All that a policy can ask for. */
static void make_policy(struct sg_policy *policy)
{
	assert_int_equal(sg_policy_begin(policy), 0);
	policy->issuer = strdup("joe");
	policy->algorithms = sg_algorithm_bit(sg_algorithm_named("HS256"));
	assert_int_equal(sg_texts_add(&policy->audiences, "here"), 0);
	assert_int_equal(sg_texts_add(&policy->required, "groups"), 0);
	policy->window.max_age = 60 * SG_SECOND;
	policy->window.max_lifetime = 300 * SG_SECOND;
	policy->on_bad_clock = SG_BAD_CLOCK_DENY;
}

/* ---- the order ---------------------------------------------------------- */

/* Each token has the fault of its row and of all rows below. */
static const struct {
	enum sg_reason reason;
	const char *header;
	const char *payload;
	sg_usec clock_offset;
} faults[] = {
	{SG_MALFORMED, "[]", "", SG_SECOND * 9},
	{SG_ALGORITHM, "{\"alg\":\"HS512\",\"kid\":\"x\"}", "", SG_SECOND * 9},
	{SG_UNKNOWN_KEY, "{\"alg\":\"HS256\",\"kid\":\"x\"}", "", SG_SECOND * 9},
	{SG_MALFORMED, "{\"alg\":\"HS256\"}", "[]", SG_SECOND * 9},
	{SG_CLAIM_TYPE, "{\"alg\":\"HS256\"}",
     "{\"iss\":1,\"aud\":\"x\",\"sub\":\"x\",\"exp\":1}", SG_SECOND * 9},
	{SG_MISSING_CLAIM, "{\"alg\":\"HS256\"}",
     "{\"iss\":\"x\",\"aud\":\"x\",\"sub\":\"x\",\"exp\":1}", SG_SECOND * 9},
	{SG_ISSUER, "{\"alg\":\"HS256\"}",
     "{\"iss\":\"x\",\"aud\":\"x\",\"sub\":\"x\",\"iat\":0,\"exp\":1,"
     "\"groups\":1}",
     SG_SECOND * 9},
	{SG_AUDIENCE, "{\"alg\":\"HS256\"}",
     "{\"iss\":\"joe\",\"aud\":\"x\",\"sub\":\"x\",\"iat\":0,\"exp\":1,"
     "\"groups\":1}",
     SG_SECOND * 9},
	{SG_USER, "{\"alg\":\"HS256\"}",
     "{\"iss\":\"joe\",\"aud\":\"here\",\"sub\":\"x\",\"iat\":0,\"exp\":1,"
     "\"groups\":1}",
     SG_SECOND * 9},
	{SG_CLOCK, "{\"alg\":\"HS256\"}",
     "{\"iss\":\"joe\",\"aud\":\"here\",\"sub\":\"alice\",\"iat\":0,\"exp\":1,"
     "\"groups\":1}",
     SG_SECOND * 9},
	{SG_EXPIRED, "{\"alg\":\"HS256\"}",
     "{\"iss\":\"joe\",\"aud\":\"here\",\"sub\":\"alice\",\"iat\":3000000000,"
     "\"exp\":1,\"groups\":1}",
     0},
	{SG_ISSUED_IN_FUTURE, "{\"alg\":\"HS256\"}",
     "{\"iss\":\"joe\",\"aud\":\"here\",\"sub\":\"alice\",\"iat\":2000000006,"
     "\"nbf\":3000000000,\"exp\":2100000000,\"groups\":1}",
     0},
	{SG_NOT_YET_VALID, "{\"alg\":\"HS256\"}",
     "{\"iss\":\"joe\",\"aud\":\"here\",\"sub\":\"alice\",\"iat\":0,"
     "\"nbf\":3000000000,\"exp\":2100000000,\"groups\":1}",
     0},
	{SG_TOO_OLD, "{\"alg\":\"HS256\"}",
     "{\"iss\":\"joe\",\"aud\":\"here\",\"sub\":\"alice\",\"iat\":0,"
     "\"exp\":2100000000,\"groups\":1}",
     0},
	{SG_LIFETIME, "{\"alg\":\"HS256\"}",
     "{\"iss\":\"joe\",\"aud\":\"here\",\"sub\":\"alice\",\"iat\":2000000000,"
     "\"exp\":2100000000,\"groups\":1}",
     0},
	{SG_ACCEPTED, "{\"alg\":\"HS256\"}", GOOD, 0},
};

static void test_order(void **state)
{
	struct sg_jwks *keys = make_keys();
	struct sg_policy policy;

	(void)state;
	make_policy(&policy);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		char token[2048];
		struct sg_verdict verdict;
		const struct sg_login login = {
			.token = token,
			.size = sign(faults[i].header, faults[i].payload, token),
			.user = "alice",
			.now = NOW,
			.clock = {.state = SG_CLOCK_SYNCHRONISED,
		              .measured = true,
		              .bounded = true,
		              .offset = faults[i].clock_offset},
		};

		sg_gate_judge(&policy, keys, &login, &verdict);
		if (verdict.reason != faults[i].reason)
			fail_msg("%zu: %s, not %s: %s", i, sg_reason_name(verdict.reason),
			         sg_reason_name(faults[i].reason), verdict.error.text);
		if (verdict.reason != SG_ACCEPTED)
			assert_string_equal(verdict.error.code,
			                    sg_reason_name(verdict.reason));
		sg_verdict_free(&verdict);
	}
	sg_policy_free(&policy);
	sg_jwks_free(keys);
}

/* A signature is bad before anything in the token is believed. */
static void test_signature(void **state)
{
	struct sg_jwks *keys = make_keys();
	struct sg_policy policy;

	(void)state;
	make_policy(&policy);
	for (size_t row = 3; row < sizeof faults / sizeof *faults; row++) {
		char token[2048];
		struct sg_verdict verdict;
		struct sg_login login = {.token = token, .user = "alice", .now = NOW};

		login.size = sign(faults[row].header, faults[row].payload, token);
		token[login.size - 2] = token[login.size - 2] == 'A' ? 'B' : 'A';
		sg_gate_judge(&policy, keys, &login, &verdict);
		assert_int_equal(verdict.reason, SG_BAD_SIGNATURE);
		assert_false(verdict.verified);
		sg_verdict_free(&verdict);
	}
	sg_policy_free(&policy);
	sg_jwks_free(keys);
}

/* ---- whose clock -------------------------------------------------------- */

/* What the window says at NOW, this host's clock as it was measured, and whose
 * fault that makes it. Times in seconds from NOW; the leeway is 5. */
static const struct {
	int iat, nbf, exp;
	int offset, bound;
	enum sg_reason reason;
	enum sg_culprit culprit;
} blames[] = {
	{0, 0, 100, 0, 0, SG_ACCEPTED, SG_CULPRIT_NOT_ASKED},
	{10, 0, 100, 0, 1, SG_ISSUED_IN_FUTURE, SG_CULPRIT_ISSUER},
	{10, 0, 100, 10, 1, SG_ISSUED_IN_FUTURE, SG_CULPRIT_HOST},
	{10, 0, 100, 5, 1, SG_ISSUED_IN_FUTURE, SG_CULPRIT_UNKNOWN},
	{0, 10, 100, 0, 1, SG_NOT_YET_VALID, SG_CULPRIT_NONE},
	{0, 10, 100, 10, 1, SG_NOT_YET_VALID, SG_CULPRIT_HOST},
	{0, 10, 100, 5, 1, SG_NOT_YET_VALID, SG_CULPRIT_UNKNOWN},
	{-30, -30, -10, 0, 1, SG_EXPIRED, SG_CULPRIT_NONE},
	{-30, -30, -10, -20, 1, SG_EXPIRED, SG_CULPRIT_HOST},
	{-30, -30, -10, -5, 1, SG_EXPIRED, SG_CULPRIT_UNKNOWN},
	{-90, -90, 100, 0, 1, SG_TOO_OLD, SG_CULPRIT_NONE},
	{-90, -90, 100, -50, 1, SG_TOO_OLD, SG_CULPRIT_HOST},
	{-90, -90, 100, -25, 1, SG_TOO_OLD, SG_CULPRIT_UNKNOWN},
	/* No instant suits them, however little is known of this clock. */
	{0, 0, 1000, 0, 500, SG_LIFETIME, SG_CULPRIT_NONE},
	{-90, 0, 200, 0, 65, SG_TOO_OLD, SG_CULPRIT_NONE},
};

static void judge_blame(const struct sg_jwks *keys,
                        const struct sg_policy *policy, size_t i, bool bounded,
                        struct sg_verdict *verdict)
{
	char payload[512];
	char token[2048];
	struct sg_login login = {
		.token = token,
		.user = "alice",
		.now = NOW,
		.clock = {.state = SG_CLOCK_SYNCHRONISED,
	              .measured = bounded,
	              .bounded = bounded,
	              .offset = bounded ? blames[i].offset * SG_SECOND : 0,
	              .bound = bounded ? blames[i].bound * SG_SECOND : 0},
	};

	snprintf(payload, sizeof payload,
	         "{\"iss\":\"joe\",\"aud\":\"here\",\"sub\":\"alice\",\"groups\":1,"
	         "\"iat\":%d,\"nbf\":%d,\"exp\":%d}",
	         2000000000 + blames[i].iat, 2000000000 + blames[i].nbf,
	         2000000000 + blames[i].exp);
	login.size = sign("{\"alg\":\"HS256\"}", payload, token);
	sg_gate_judge(policy, keys, &login, verdict);
}

static void test_culprit(void **state)
{
	struct sg_jwks *keys = make_keys();
	struct sg_policy policy;

	(void)state;
	make_policy(&policy);
	policy.on_bad_clock = SG_BAD_CLOCK_IGNORE;
	for (size_t i = 0; i < sizeof blames / sizeof *blames; i++) {
		struct sg_verdict verdict;

		judge_blame(keys, &policy, i, true, &verdict);
		if (verdict.reason != blames[i].reason ||
		    verdict.culprit != blames[i].culprit)
			fail_msg("%zu: %s by %d: %s", i, sg_reason_name(verdict.reason),
			         (int)verdict.culprit, verdict.error.text);
		sg_verdict_free(&verdict);
		/* Nothing is known of this clock: whose it was is not, either, unless
		 * no clock would help. */
		judge_blame(keys, &policy, i, false, &verdict);
		assert_int_equal(verdict.reason, blames[i].reason);
		assert_int_equal(verdict.culprit,
		                 verdict.reason == SG_ACCEPTED   ? SG_CULPRIT_NOT_ASKED
		                 : verdict.reason == SG_LIFETIME ? SG_CULPRIT_NONE
		                                                 : SG_CULPRIT_UNKNOWN);
		sg_verdict_free(&verdict);
	}
	sg_policy_free(&policy);
	sg_jwks_free(keys);
}

/* ---- a bad clock -------------------------------------------------------- */

static const struct {
	struct sg_clock clock;
	bool bad; /* beyond max_clock_error, which is 1 s */
} clocks[] = {
	{{.state = SG_CLOCK_SYNCHRONISED}, false},
	{{.state = SG_CLOCK_UNSYNCHRONISED}, true},
	{{.state = SG_CLOCK_UNKNOWN}, true},
	{{.state = SG_CLOCK_SYNCHRONISED, .bounded = true, .bound = SG_SECOND},
     false},
	{{.state = SG_CLOCK_SYNCHRONISED, .bounded = true, .bound = SG_SECOND + 1},
     true},
	/* A measurement outranks the kernel's word. */
	{{.state = SG_CLOCK_UNSYNCHRONISED,
      .measured = true,
      .bounded = true,
      .offset = -SG_SECOND + 5,
      .bound = 5},
     false},
	{{.state = SG_CLOCK_SYNCHRONISED,
      .measured = true,
      .bounded = true,
      .offset = -SG_SECOND,
      .bound = 1},
     true},
	{{.state = SG_CLOCK_SYNCHRONISED,
      .measured = true,
      .bounded = true,
      .offset = SG_SECOND,
      .bound = 1},
     true},
};

static void test_bad_clock(void **state)
{
	struct sg_jwks *keys = make_keys();
	struct sg_policy policy;
	char token[2048];

	(void)state;
	make_policy(&policy);
	size_t size = sign("{\"alg\":\"HS256\",\"kid\":\"k\"}", GOOD, token);
	for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++)
		for (int mode = SG_BAD_CLOCK_IGNORE; mode <= SG_BAD_CLOCK_DENY;
		     mode++) {
			struct sg_verdict verdict;
			const struct sg_login login = {
				.token = token,
				.size = size,
				.user = "alice",
				.now = NOW,
				.clock = clocks[i].clock,
			};
			bool bad = clocks[i].bad;

			policy.on_bad_clock = (enum sg_bad_clock)mode;
			sg_gate_judge(&policy, keys, &login, &verdict);
			assert_int_equal(verdict.reason, bad && mode == SG_BAD_CLOCK_DENY
			                                     ? SG_CLOCK
			                                     : SG_ACCEPTED);
			assert_int_equal(verdict.clock_bad,
			                 bad && mode != SG_BAD_CLOCK_IGNORE);
			sg_verdict_free(&verdict);
		}
	sg_policy_free(&policy);
	sg_jwks_free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_culprit),
		cmocka_unit_test(test_bad_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
