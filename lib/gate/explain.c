/* SPDX-License-Identifier: MIT */
/* The decision as JSON, and the claims of a token that was not believed. */
#include "gate.h"

void sg_verdict_reveal(struct sg_verdict *verdict, const struct sg_login *login)
{
	struct sg_error ignored = {0};
	struct sg_jws jws = {0};

	if (verdict->verified)
		return;
	(void)sg_jws_parse(login->token, login->size, &jws, &ignored);
	/* What is not JSON, or of another type, stays out of the fields. */
	if (jws.payload != NULL && sg_claims_parse(jws.payload, jws.payload_size,
	                                           &verdict->claims, &ignored) == 0)
		(void)sg_claims_type(&verdict->claims, &ignored);
	sg_jws_free(&jws);
}

static json_t *clock_json(const struct sg_clock *clock)
{
	return json_pack("{s:s, s:o, s:o}", "state",
	                 sg_clock_state_name(clock->state), "offset_s",
	                 sg_json_seconds(clock->measured, clock->offset), "bound_s",
	                 sg_json_seconds(clock->bounded, clock->bound));
}

json_t *sg_verdict_json(const struct sg_verdict *verdict)
{
	bool accepted = verdict->reason == SG_ACCEPTED;
	json_t *claims = verdict->claims.json;

	return json_pack(
		"{s:s, s:s, s:o, s:o, s:b, s:o, s:o, s:b, s:o, s:s?}", "decision",
		accepted ? "accept" : "refuse", "reason",
		sg_reason_name(verdict->reason), "detail",
		sg_json_string(verdict->error.text), "now",
		sg_json_seconds(true, verdict->now), "verified", verdict->verified,
		"claims", json_is_object(claims) ? json_incref(claims) : json_object(),
		"margin_s", sg_json_seconds(verdict->judged_time, verdict->margin),
		"leeway_used", accepted && verdict->leeway_used, "clock",
		clock_json(&verdict->clock), "culprit",
		sg_culprit_name(verdict->culprit));
}
