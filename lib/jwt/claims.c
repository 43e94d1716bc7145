/* SPDX-License-Identifier: MIT */
/*
 * Claims, typed.
 *
 * Verifiers have taken an `exp` that is a string, null or a list for one that
 * is absent, and let expired tokens in. Here a claim has its one type, or the
 * token is refused.
 */
#include "jwt.h"

#include <string.h>

const char *sg_json_reason(json_error_t *reason)
{
	char *near = strstr(reason->text, " near ");

	if (near != NULL)
		*near = '\0';
	return reason->text;
}

enum sg_reason sg_refuse_object(const json_t *json, json_error_t *reason,
                                const char *part, struct sg_error *error)
{
	if (json != NULL)
		return sg_refuse(error, SG_MALFORMED, "its %s is not a JSON object",
		                 part);
	return sg_refuse(error, SG_MALFORMED,
	                 "its %s is not a JSON object: %s, at byte %d", part,
	                 sg_json_reason(reason), reason->position);
}

enum sg_reason sg_claims_parse(const unsigned char *payload, size_t size,
                               struct sg_claims *claims, struct sg_error *error)
{
	json_error_t reason;

	claims->json = json_loadb((const char *)payload, size,
	                          JSON_REJECT_DUPLICATES, &reason);
	if (!json_is_object(claims->json))
		return sg_refuse_object(claims->json, &reason, "payload", error);
	return SG_ACCEPTED;
}

/*
 * Seconds to microseconds. A double near today is good to a quarter of a
 * microsecond, so a decimal with six places is the one whose double this is;
 * what has more places is rounded towards the stricter side.
 */
static sg_usec to_usec(double seconds, bool up)
{
	sg_usec whole = (sg_usec)seconds;
	double fraction = (seconds - (double)whole) * 1e6;
	sg_usec nearest = (sg_usec)(fraction + 0.5);

	if ((double)whole + (double)nearest / 1e6 == seconds)
		return whole * SG_SECOND + nearest;
	return whole * SG_SECOND + (sg_usec)fraction + (up ? 1 : 0);
}

static enum sg_reason read_time(const json_t *json, const char *name, bool up,
                                struct sg_time_claim *claim,
                                struct sg_error *error)
{
	const json_int_t last = SG_TIME_LAST / SG_SECOND;
	const json_t *value = json_object_get(json, name);

	if (value == NULL)
		return SG_ACCEPTED;
	if (!json_is_number(value))
		return sg_refuse(
			error, SG_CLAIM_TYPE,
			"the claim %s is not a number; the issuer has to write "
			"seconds since the epoch",
			name);
	/* As a double, any integer is on the same side of both ends. */
	double seconds = json_number_value(value);
	if (!(seconds >= 0 && seconds <= (double)last))
		return sg_refuse(
			error, SG_CLAIM_TYPE,
			"the claim %s is not within the years 1970 to 9999; the "
			"issuer has to write seconds since the epoch",
			name);
	claim->time = json_is_integer(value) ? json_integer_value(value) * SG_SECOND
	                                     : to_usec(seconds, up);
	claim->present = true;
	return SG_ACCEPTED;
}

enum sg_reason sg_claims_text(const struct sg_claims *claims, const char *name,
                              const char **text, struct sg_error *error)
{
	const json_t *value = json_object_get(claims->json, name);

	*text = json_string_value(value);
	if (value != NULL && *text == NULL)
		return sg_refuse(error, SG_CLAIM_TYPE, "the claim %s is not a text",
		                 name);
	return SG_ACCEPTED;
}

static enum sg_reason check_audience(const json_t *json, struct sg_error *error)
{
	const json_t *audience = json_object_get(json, "aud");
	const json_t *item;
	size_t i;

	if (audience == NULL || json_is_string(audience))
		return SG_ACCEPTED;
	if (!json_is_array(audience))
		return sg_refuse(error, SG_CLAIM_TYPE,
		                 "the claim aud is neither a text nor a list of texts");
	json_array_foreach (audience, i, item)
		if (!json_is_string(item))
			return sg_refuse(error, SG_CLAIM_TYPE,
			                 "the claim aud has an item that "
			                 "is not a text");
	return SG_ACCEPTED;
}

enum sg_reason sg_claims_type(struct sg_claims *claims, struct sg_error *error)
{
	const struct {
		const char *name;
		bool up;
		struct sg_time_claim *claim;
	} times[] = {
		{"exp", false, &claims->expires},
		{"nbf", true, &claims->not_before},
		{"iat", true, &claims->issued},
	};
	const struct {
		const char *name;
		const char **text;
	} texts[] = {
		{"iss", &claims->issuer},
		{"sub", &claims->subject},
		{"jti", &claims->id},
	};
	enum sg_reason refused = SG_ACCEPTED;

	for (size_t i = 0; i < 3 && refused == SG_ACCEPTED; i++)
		refused = read_time(claims->json, times[i].name, times[i].up,
		                    times[i].claim, error);
	for (size_t i = 0; i < 3 && refused == SG_ACCEPTED; i++)
		refused = sg_claims_text(claims, texts[i].name, texts[i].text, error);
	return refused != SG_ACCEPTED ? refused
	                              : check_audience(claims->json, error);
}

bool sg_claims_has(const struct sg_claims *claims, const char *name)
{
	const json_t *value = json_object_get(claims->json, name);

	return value != NULL && !json_is_null(value);
}

bool sg_claims_has_audience(const struct sg_claims *claims,
                            const char *audience)
{
	const json_t *value = json_object_get(claims->json, "aud");
	const json_t *item;
	size_t i;

	if (json_is_string(value))
		return strcmp(json_string_value(value), audience) == 0;
	json_array_foreach (value, i, item)
		if (strcmp(json_string_value(item), audience) == 0)
			return true;
	return false;
}

void sg_claims_free(struct sg_claims *claims)
{
	json_decref(claims->json);
	*claims = (struct sg_claims){0};
}
