/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a token, as the payload of one whose signature held, as a key
 * set: each is decided with a reason, and nothing is accepted but what is
 * signed.
 */
#include "lib/gate/gate.h"
#include "fuzz.h"

#include <string.h>

#define NOW ((sg_usec)2000000000 * SG_SECOND)

/* RFC 7515, appendix A.1 to A.4; some of these tokens are seeds. */
static const char key_set[] =
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k1\","
	"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static const char rfc_token[] =
	"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0"
	"dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx"
	"-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/* All that is told of a verdict. */
static void tell(struct sg_verdict *verdict, const struct sg_login *login)
{
	char text[SG_TEXT_SIZE];

	expect(verdict->reason == SG_ACCEPTED || verdict->error.text[0] != '\0');
	sg_verdict_reveal(verdict, login);
	char *line = sg_verdict_log(verdict, "user name", "host");
	expect(line != NULL && strchr(line, '\n') == NULL);
	free(line);
	(void)sg_verdict_priority(verdict);
	(void)sg_verdict_message(verdict, text, sizeof text);
	json_t *json = sg_verdict_json(verdict);
	expect(json != NULL);
	json_decref(json);
	sg_verdict_free(verdict);
}

static void judge(const char *keys_text, size_t keys_size, const char *token,
                  size_t size)
{
	struct sg_error error = {0};
	struct sg_policy policy;
	struct sg_verdict verdict;
	struct sg_jwks *keys = NULL;
	const struct sg_login login = {
		.token = token,
		.size = size,
		.now = 1300819379 * SG_SECOND,
	};

	expect(sg_policy_begin(&policy) == 0);
	policy.issuer = strdup("joe");
	policy.algorithms = ~(sg_algorithms)0;
	if (sg_jwks_parse(keys_text, keys_size, &keys, &error) == 0) {
		sg_gate_judge(&policy, keys, &login, &verdict);
		/* Only the RFC's own token was signed with a key of these. */
		expect(
			verdict.reason != SG_ACCEPTED ||
			(size == strlen(rfc_token) && memcmp(token, rfc_token, size) == 0));
		tell(&verdict, &login);
	} else {
		expect(error.code[0] != '\0' && error.text[0] != '\0');
	}
	sg_jwks_free(keys);
	sg_policy_free(&policy);
}

static void read_claims(const uint8_t *data, size_t size)
{
	const struct sg_window_rules rules = {5 * SG_SECOND, SG_SECOND,
	                                      SG_TIME_LAST};
	struct sg_error error = {0};
	struct sg_claims claims = {0};

	if (sg_claims_parse(data, size, &claims, &error) == 0 &&
	    sg_claims_type(&claims, &error) == 0) {
		expect(claims.expires.time >= 0 && claims.expires.time <= SG_TIME_LAST);
		(void)sg_window_judge(&claims, &rules, NOW);
		(void)sg_window_margin(&claims, &rules, NOW);
		(void)sg_claims_has_audience(&claims, "a");
	}
	sg_claims_free(&claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (size == 0)
		return 0;
	/* The first byte says what the others are. */
	switch (data[0] % 3) {
	case 0:
		judge(key_set, strlen(key_set), text, size - 1);
		break;
	case 1:
		judge(text, size - 1, rfc_token, strlen(rfc_token));
		break;
	default:
		read_claims(data + 1, size - 1);
		break;
	}
	return 0;
}
