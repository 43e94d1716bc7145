/* SPDX-License-Identifier: MIT */
/*
 * What lies behind a good signature: the token is signed here, with a secret of
 * the key set, and its claims, the policy, the time and the clock are taken
 * from the input. Every decision is compared with that of an oracle.
 *
 * The oracle is written from the contract (pam_skewgate(8), skewgate.conf(5)),
 * and shares no code with lib/gate or lib/jwt. It judges the window by its
 * conditions, one by one; the culprit by trying all instants at which one of
 * them changes. A real is taken to the microsecond by a rule of its own: here
 * both of its neighbours are allowed.
 */
#include "fuzz.h"
#include "lib/gate/gate.h"
#include "tests/base64url.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define NOW (2000000000LL * 1000000)
#define LAST (253402300799LL * 1000000)

#define MAX_PAYLOAD 4096
#define MAX_TOKEN ((size_t)8192)

static const char secret[] =
	"a secret as long as the largest hash, which has sixty-four bytes";

/* ---- the case ----------------------------------------------------------- */

/* What is asked for, in the oracle's own terms: microseconds, and NULL where
 * something is not configured. */
struct wanted {
	const char *issuer;
	const char *audiences[2];
	int audience_count;
	const char *user; /* NULL: not checked */
	const char *claim;
	const char *suffix;
	const char *required;
	long long leeway, max_age, max_lifetime;
	bool single_use;
	int bad_clock; /* 0 ignore, 1 warn, 2 deny */
	long long max_error;
	long long now;
	struct sg_clock clock;
};

static const long long seconds[] = {0, 1, 5, 60, 300, 3600, 86400, 1};

static void take_policy(struct input *input, struct wanted *wanted)
{
	static const char *const users[] = {NULL, "alice", "bob", ""};
	static const char *const claims[] = {"sub", "email", "jti", "x"};
	static const char *const suffixes[] = {"", "@example.com", "e", "alice"};
	static const char *const required[] = {NULL, "groups", "iat", "aud"};
	uint8_t who = take(input);
	uint8_t what = take(input);
	uint8_t times = take(input);

	*wanted = (struct wanted){
		.issuer = "joe",
		.audiences = {"a", "b"},
		.audience_count = what % 3,
		.user = users[who & 3],
		.claim = claims[who >> 2 & 3],
		.suffix = suffixes[who >> 4 & 3],
		.required = required[who >> 6],
		.single_use = (what & 4) != 0,
		.bad_clock = (what >> 3) % 3,
		.max_error = seconds[1 + (what >> 5 & 3)] * 1000000,
		.leeway = seconds[(times & 3) == 3 ? 4 : times & 3] * 1000000,
		.max_age = seconds[times >> 2 & 7] * 1000000,
		.max_lifetime = seconds[times >> 5] * 1000000,
	};
}

/* A time near zero, now and then a large one; to the microsecond. */
static long long take_time(struct input *input)
{
	static const long long units[] = {1, 250000, 1000000, 60000000};
	long long scale = units[take(input) & 3];
	long long value = (int8_t)take(input) * scale;

	return value + (int8_t)take(input) / 64;
}

static void take_clock(struct input *input, struct wanted *wanted)
{
	uint8_t what = take(input);
	long long offset = take_time(input);
	long long bound = llabs(take_time(input));

	wanted->clock.state = what % 3;
	wanted->clock.measured = (what & 4) != 0;
	wanted->clock.bounded = wanted->clock.measured || (what & 8) != 0;
	wanted->clock.offset = wanted->clock.measured ? offset : 0;
	wanted->clock.bound = wanted->clock.bounded ? bound : 0;
	wanted->clock.daemon_gone = (what & 16) != 0;
	wanted->now = NOW + take_time(input);
}

/* ---- the token ---------------------------------------------------------- */

static void put_claim(FILE *text, const char *name, const char *value)
{
	fprintf(text, "%s\"%s\":%s", ftell(text) > 1 ? "," : "", name, value);
}

static void put_time(FILE *text, const char *name, struct input *input)
{
	static const char *const odd[] = {
		"null", "\"2000000000\"", "-1", "1e400", "253402300799.5", "2e9", "[]",
		"true"};
	uint8_t form = take(input);
	long long time = NOW + take_time(input);
	char value[64];

	if ((form & 7) == 0)
		return;
	snprintf(value, sizeof value, "%lld.%06lld", time / 1000000,
	         time % 1000000);
	if ((form & 7) == 1)
		snprintf(value, sizeof value, "%lld", time / 1000000);
	put_claim(text, name, (form & 7) == 2 ? odd[form >> 5] : value);
}

static void put_choice(FILE *text, const char *name, struct input *input,
                       const char *const choices[8])
{
	const char *value = choices[take(input) & 7];

	if (value != NULL)
		put_claim(text, name, value);
}

/* Claims that are put together from the input; else it is their JSON. */
static size_t take_payload(struct input *input, char payload[MAX_PAYLOAD])
{
	static const char *const issuers[8] = {"\"joe\"", "\"joe\"", "\"joe\"",
	                                       "\"joe\"", NULL,      "\"Joe\"",
	                                       "1",       "\"joe \""};
	static const char *const names[8] = {
		"\"alice\"", "\"alice@example.com\"", "\"alicee\"", "\"\"", NULL,
		"1",         "\"alice\u0301\"",       "\"bob\""};
	static const char *const audiences[8] = {
		"\"a\"", "[\"x\",\"b\"]", "[]", NULL, NULL, "[1]", "\"x\"", "{}"};
	static const char *const others[8] = {"1",  "null", "\"alice\"", NULL,
	                                      NULL, "[]",   "\"b\"",     "{}"};
	FILE *text = NULL;

	if ((take(input) & 1) != 0) {
		size_t size = input->size < MAX_PAYLOAD ? input->size : MAX_PAYLOAD;

		memcpy(payload, input->data, size);
		return size;
	}
	text = fmemopen(payload, MAX_PAYLOAD, "w");
	expect(text != NULL);
	fputc('{', text);
	put_time(text, "exp", input);
	put_time(text, "nbf", input);
	put_time(text, "iat", input);
	put_choice(text, "iss", input, issuers);
	put_choice(text, "sub", input, names);
	put_choice(text, "email", input, names);
	put_choice(text, "jti", input, names);
	put_choice(text, "aud", input, audiences);
	put_choice(text, "groups", input, others);
	put_choice(text, "x", input, others);
	fputc('}', text);
	long size = ftell(text);
	fclose(text);
	return (size_t)size;
}

/* Signs the payload; a flaw makes it another's. Returns the token's size. */
static size_t sign(const char *payload, size_t size, uint8_t form, char *token)
{
	static const char *const hashes[] = {"SHA256", "SHA384", "SHA512",
	                                     "SHA256"};
	static const char *const names[] = {"HS256", "HS384", "HS512", "HS256"};
	unsigned char mac[64];
	size_t mac_size = 0;
	char header[64];

	snprintf(header, sizeof header, "{\"alg\":\"%s\"%s}", names[form & 3],
	         (form & 4) != 0 ? ",\"kid\":\"k\"" : "");
	size_t length = encode(header, strlen(header), token);
	token[length++] = '.';
	length += encode(payload, size, token + length);
	expect(EVP_Q_mac(NULL, "HMAC", NULL, hashes[form & 3], NULL, secret,
	                 strlen(secret), (const unsigned char *)token, length, mac,
	                 sizeof mac, &mac_size) != NULL);
	if ((form & 0xf0) == 0xf0)
		mac[form & 15] ^= 1;
	token[length++] = '.';
	return length + encode(mac, mac_size, token + length);
}

/* ---- the oracle --------------------------------------------------------- */

/* A time claim: whether it is there, of its type, and its time; a real has two
 * neighbours, and `low` says which of them counts. */
struct moment {
	bool present;
	bool good;
	long long low, high;
};

static struct moment read_moment(const json_t *claims, const char *name)
{
	const json_t *value = json_object_get(claims, name);
	struct moment moment = {.present = value != NULL};

	if (json_is_integer(value)) {
		long long integer = json_integer_value(value);

		moment.good = integer >= 0 && integer <= LAST / 1000000;
		moment.low = moment.good ? integer * 1000000 : 0;
		moment.high = moment.low;
	} else if (json_is_real(value)) {
		double real = json_real_value(value);
		int exponent = 0;
		/* mantissa * 2^exponent, exactly */
		__int128 scaled = (__int128)ldexp(frexp(real, &exponent), 53) * 1000000;

		exponent -= 53;
		moment.good = real >= 0 && real <= 253402300799.0;
		if (!moment.good)
			return moment;
		/* Below a microsecond nothing but zero and its neighbour is left. */
		int shift = exponent < -100 ? 100 : -exponent;
		moment.low =
			(long long)(shift > 0 ? scaled >> shift : scaled << -shift);
		moment.high = moment.low;
		if (shift > 0 && ((__int128)moment.low << shift) != scaled)
			moment.high++;
	}
	return moment;
}

struct moments {
	struct moment exp, nbf, iat;
};

/* Takes one neighbour of each, by the bits of `which`. */
static struct moments choose(struct moments all, int which)
{
	all.exp.low = (which & 1) != 0 ? all.exp.high : all.exp.low;
	all.nbf.low = (which & 2) != 0 ? all.nbf.high : all.nbf.low;
	all.iat.low = (which & 4) != 0 ? all.iat.high : all.iat.low;
	return all;
}

static bool has_lifetime(const struct wanted *wanted, const struct moments *at)
{
	if (at->nbf.present && at->nbf.low >= at->exp.low)
		return false;
	if (!at->iat.present)
		return true;
	long long lifetime = at->exp.low - at->iat.low;
	return lifetime > 0 &&
	       (wanted->max_lifetime == 0 || lifetime <= wanted->max_lifetime);
}

static enum sg_reason judge_window(const struct wanted *wanted,
                                   const struct moments *at, long long leeway,
                                   long long now)
{
	if (now - leeway >= at->exp.low)
		return SG_EXPIRED;
	if (at->iat.present && now + leeway < at->iat.low)
		return SG_ISSUED_IN_FUTURE;
	if (at->nbf.present && now + leeway < at->nbf.low)
		return SG_NOT_YET_VALID;
	if (wanted->max_age != 0 && at->iat.present &&
	    now - leeway - at->iat.low >= wanted->max_age)
		return SG_TOO_OLD;
	return has_lifetime(wanted, at) ? SG_ACCEPTED : SG_LIFETIME;
}

static enum sg_culprit find_culprit(const struct wanted *wanted,
                                    const struct moments *at,
                                    enum sg_reason reason)
{
	const struct sg_clock *clock = &wanted->clock;
	long long from = wanted->now + clock->offset - clock->bound;
	long long until = wanted->now + clock->offset + clock->bound;
	const long long edges[] = {at->exp.low + wanted->leeway,
	                           at->iat.low - wanted->leeway,
	                           at->nbf.low - wanted->leeway,
	                           at->iat.low + wanted->max_age + wanted->leeway,
	                           from,
	                           until};
	bool accepts = false;
	bool refuses = false;

	if (reason < SG_EXPIRED || reason > SG_LIFETIME)
		return SG_CULPRIT_NOT_ASKED;
	if (!has_lifetime(wanted, at))
		return SG_CULPRIT_NONE;
	if (!clock->bounded)
		return SG_CULPRIT_UNKNOWN;
	for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
		for (long long instant = edges[i] - 1; instant <= edges[i] + 1;
		     instant++) {
			if (instant < from || instant > until)
				continue;
			bool accepted = judge_window(wanted, at, wanted->leeway, instant) ==
			                SG_ACCEPTED;
			accepts = accepts || accepted;
			refuses = refuses || !accepted;
		}
	if (accepts)
		return refuses ? SG_CULPRIT_UNKNOWN : SG_CULPRIT_HOST;
	return reason == SG_ISSUED_IN_FUTURE ||
	               (reason == SG_NOT_YET_VALID && at->iat.present &&
	                at->nbf.low <= at->iat.low)
	           ? SG_CULPRIT_ISSUER
	           : SG_CULPRIT_NONE;
}

static bool is_type_good(const json_t *claims, const struct wanted *wanted,
                         const struct moments *at)
{
	const char *const strings[] = {"iss", "sub", "jti", wanted->claim};
	const json_t *audience = json_object_get(claims, "aud");

	if ((at->exp.present && !at->exp.good) ||
	    (at->nbf.present && !at->nbf.good) ||
	    (at->iat.present && !at->iat.good))
		return false;
	for (size_t i = 0; i < 4; i++) {
		const json_t *value = json_object_get(claims, strings[i]);

		if (value != NULL && !json_is_string(value))
			return false;
	}
	for (size_t i = 0; i < json_array_size(audience); i++)
		if (!json_is_string(json_array_get(audience, i)))
			return false;
	return audience == NULL || json_is_string(audience) ||
	       json_is_array(audience);
}

static bool has(const json_t *claims, const char *name)
{
	const json_t *value = json_object_get(claims, name);

	return value != NULL && !json_is_null(value);
}

static bool has_all(const json_t *claims, const struct wanted *wanted)
{
	return has(claims, "exp") && has(claims, "iss") &&
	       (has(claims, "iat") ||
	        (wanted->max_age == 0 && wanted->max_lifetime == 0)) &&
	       (has(claims, "jti") || !wanted->single_use) &&
	       (has(claims, "aud") || wanted->audience_count == 0) &&
	       (has(claims, wanted->claim) || wanted->user == NULL) &&
	       (wanted->required == NULL || has(claims, wanted->required));
}

static bool suits_audience(const json_t *claims, const struct wanted *wanted)
{
	const json_t *value = json_object_get(claims, "aud");
	json_auto_t *list =
		json_is_string(value) ? json_pack("[O]", value) : json_deep_copy(value);

	if (wanted->audience_count == 0)
		return value == NULL;
	for (size_t i = 0; i < json_array_size(list); i++)
		for (int k = 0; k < wanted->audience_count; k++)
			if (strcmp(json_string_value(json_array_get(list, i)),
			           wanted->audiences[k]) == 0)
				return true;
	return false;
}

static bool suits_user(const json_t *claims, const struct wanted *wanted)
{
	const char *claim =
		json_string_value(json_object_get(claims, wanted->claim));
	char whole[64];

	if (wanted->user == NULL)
		return true;
	snprintf(whole, sizeof whole, "%s%s", wanted->user, wanted->suffix);
	return wanted->user[0] != '\0' && strcmp(claim, whole) == 0;
}

static bool is_clock_bad(const struct wanted *wanted)
{
	const struct sg_clock *clock = &wanted->clock;

	if (clock->measured)
		return llabs(clock->offset) + clock->bound > wanted->max_error;
	return clock->state != SG_CLOCK_SYNCHRONISED ||
	       clock->bound > wanted->max_error;
}

static enum sg_reason foresee(const json_t *claims, const struct wanted *wanted,
                              const struct moments *at)
{
	if (!is_type_good(claims, wanted, at))
		return SG_CLAIM_TYPE;
	if (!has_all(claims, wanted))
		return SG_MISSING_CLAIM;
	if (strcmp(json_string_value(json_object_get(claims, "iss")),
	           wanted->issuer) != 0)
		return SG_ISSUER;
	if (!suits_audience(claims, wanted))
		return SG_AUDIENCE;
	if (!suits_user(claims, wanted))
		return SG_USER;
	if (wanted->bad_clock == 2 && is_clock_bad(wanted))
		return SG_CLOCK;
	return judge_window(wanted, at, wanted->leeway, wanted->now);
}

/* Whether the verdict is the one that follows from one choice of neighbours. */
static bool agrees(const struct sg_verdict *verdict, const json_t *claims,
                   const struct wanted *wanted, const struct moments *at)
{
	enum sg_reason reason = foresee(claims, wanted, at);
	bool warned = reason == SG_ACCEPTED || reason >= SG_CLOCK;
	bool used = reason == SG_ACCEPTED &&
	            judge_window(wanted, at, 0, wanted->now) != SG_ACCEPTED;

	return verdict->reason == reason &&
	       verdict->culprit == find_culprit(wanted, at, reason) &&
	       verdict->leeway_used == used && verdict->verified &&
	       verdict->clock_bad ==
	           (warned && wanted->bad_clock != 0 && is_clock_bad(wanted));
}

/* ---- the comparison ----------------------------------------------------- */

static void compare(const struct sg_verdict *verdict, const char *payload,
                    size_t size, const struct wanted *wanted, uint8_t form)
{
	json_auto_t *claims =
		json_loadb(payload, size, JSON_REJECT_DUPLICATES, NULL);
	struct moments at = {0};
	bool agreed = false;

	if ((form & 0xf0) == 0xf0) {
		expect(verdict->reason == SG_BAD_SIGNATURE && !verdict->verified);
		return;
	}
	if (!json_is_object(claims)) {
		expect(verdict->reason == SG_MALFORMED);
		return;
	}
	at.exp = read_moment(claims, "exp");
	at.nbf = read_moment(claims, "nbf");
	at.iat = read_moment(claims, "iat");
	for (int which = 0; which < 8 && !agreed; which++) {
		struct moments chosen = choose(at, which);

		agreed = agrees(verdict, claims, wanted, &chosen);
	}
	expect(agreed);
}

/* All that is told of a verdict: to the log, to the user, by explain. */
static void tell(struct sg_verdict *verdict, const struct sg_login *login)
{
	char text[SG_TEXT_SIZE];
	char *line = sg_verdict_log(verdict, login->user, "host");

	expect(line != NULL);
	for (const char *byte = line; *byte != '\0'; byte++)
		expect(*byte >= ' ' && *byte <= '~');
	free(line);
	expect(verdict->error.text[0] != '\0');
	(void)sg_verdict_priority(verdict);
	expect(sg_verdict_message(verdict, text, sizeof text) ==
	       (verdict->reason >= SG_CLOCK));
	json_t *json = sg_verdict_json(verdict);
	expect(json != NULL);
	json_decref(json);
}

static void set_policy(const struct wanted *wanted, struct sg_policy *policy)
{
	expect(sg_policy_begin(policy) == 0);
	policy->issuer = strdup(wanted->issuer);
	for (int i = 0; i < wanted->audience_count; i++)
		expect(sg_texts_add(&policy->audiences, "%s", wanted->audiences[i]) ==
		       0);
	policy->algorithms = ~(sg_algorithms)0;
	free(policy->user_claim);
	policy->user_claim = strdup(wanted->claim);
	policy->user_suffix =
		wanted->suffix[0] != '\0' ? strdup(wanted->suffix) : NULL;
	if (wanted->required != NULL)
		expect(sg_texts_add(&policy->required, "%s", wanted->required) == 0);
	policy->window = (struct sg_window_rules){
		.leeway = wanted->leeway,
		.max_age = wanted->max_age,
		.max_lifetime = wanted->max_lifetime,
	};
	policy->single_use = wanted->single_use;
	policy->on_bad_clock = (enum sg_bad_clock)wanted->bad_clock;
	policy->max_clock_error = wanted->max_error;
}

static struct sg_jwks *parse_keys(void)
{
	struct sg_error error = {0};
	struct sg_jwks *keys = NULL;
	char text[256] = "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k\",\"k\":\"";
	size_t length = strlen(text);

	length += encode(secret, strlen(secret), text + length);
	length += (size_t)snprintf(text + length, sizeof text - length, "\"}]}");
	expect(sg_jwks_parse(text, length, &keys, &error) == 0);
	return keys;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	char payload[MAX_PAYLOAD];
	char token[MAX_TOKEN];
	struct sg_policy policy;
	struct sg_verdict verdict;
	struct wanted wanted;

	take_policy(&input, &wanted);
	take_clock(&input, &wanted);
	uint8_t form = take(&input);
	size_t payload_size = take_payload(&input, payload);
	struct sg_jwks *keys = parse_keys();
	const struct sg_login login = {
		.token = token,
		.size = sign(payload, payload_size, form, token),
		.user = wanted.user,
		.now = wanted.now,
		.clock = wanted.clock,
		.store = "/nonexistent/used-tokens", /* which has used nothing up */
	};
	set_policy(&wanted, &policy);
	sg_gate_judge(&policy, keys, &login, &verdict);
	compare(&verdict, payload, payload_size, &wanted, form);
	tell(&verdict, &login);
	sg_verdict_free(&verdict);
	sg_policy_free(&policy);
	sg_jwks_free(keys);
	return 0;
}
