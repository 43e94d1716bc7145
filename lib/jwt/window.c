/* SPDX-License-Identifier: MIT */
/*
 * The time window of a token (RFC 7519 sections 4.1.4 to 4.1.6), as arithmetic.
 *
 * Leeway widens the window at both ends. It never shifts `now`, which would
 * take from one end what it gives to the other, and expire short-lived tokens
 * early. No sum overflows: times end with the year 9999, rules with as many
 * seconds.
 */
#include "jwt.h"

static sg_usec least(sg_usec one, sg_usec other)
{
	return one < other ? one : other;
}

static bool lifetime_suits(const struct sg_claims *claims,
                           const struct sg_window_rules *rules)
{
	sg_usec exp = claims->expires.time;
	sg_usec nbf = claims->not_before.time;
	sg_usec iat = claims->issued.time;

	return !(claims->issued.present && rules->max_lifetime > 0 &&
	         exp - iat > rules->max_lifetime) &&
	       !(claims->not_before.present && exp <= nbf) &&
	       !(claims->issued.present && exp <= iat);
}

enum sg_window sg_window_judge(const struct sg_claims *claims,
                               const struct sg_window_rules *rules, sg_usec now)
{
	const struct sg_time_claim *nbf = &claims->not_before;
	const struct sg_time_claim *iat = &claims->issued;

	if (now >= claims->expires.time + rules->leeway)
		return SG_WINDOW_EXPIRED;
	if (iat->present && now < iat->time - rules->leeway)
		return SG_WINDOW_ISSUED_IN_FUTURE;
	if (nbf->present && now < nbf->time - rules->leeway)
		return SG_WINDOW_NOT_YET_VALID;
	if (iat->present && rules->max_age > 0 &&
	    now >= iat->time + rules->max_age + rules->leeway)
		return SG_WINDOW_TOO_OLD;
	return lifetime_suits(claims, rules) ? SG_WINDOW_INSIDE
	                                     : SG_WINDOW_LIFETIME;
}

bool sg_window_span(const struct sg_claims *claims,
                    const struct sg_window_rules *rules, sg_usec *from,
                    sg_usec *until)
{
	const struct sg_time_claim *nbf = &claims->not_before;
	const struct sg_time_claim *iat = &claims->issued;

	*from = INT64_MIN / 2;
	*until = claims->expires.time + rules->leeway;
	if (iat->present)
		*from = iat->time - rules->leeway;
	if (nbf->present && nbf->time - rules->leeway > *from)
		*from = nbf->time - rules->leeway;
	if (iat->present && rules->max_age > 0)
		*until = least(*until, iat->time + rules->max_age + rules->leeway);
	return lifetime_suits(claims, rules);
}

sg_usec sg_window_margin(const struct sg_claims *claims,
                         const struct sg_window_rules *rules, sg_usec now)
{
	sg_usec from = 0;
	sg_usec until = 0;

	(void)sg_window_span(claims, rules, &from, &until);
	return least(until - now, now - from);
}
