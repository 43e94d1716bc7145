/*
 * The time window of a token (RFC 7519 sections 4.1.4 to 4.1.6), as arithmetic.
 *
 * Leeway widens the window at both ends. It never shifts `now`, which would
 * take from one end what it gives to the other, and expire short-lived tokens
 * early. No sum overflows: times end with the year 9999, rules with as many
 * seconds.
 */
#include "jwt.h"

enum sg_window sg_window_judge(const struct sg_claims *claims,
                               const struct sg_window_rules *rules, sg_usec now)
{
	sg_usec exp = claims->expires.time;
	sg_usec nbf = claims->not_before.time;
	sg_usec iat = claims->issued.time;
	bool has_nbf = claims->not_before.present;
	bool has_iat = claims->issued.present;

	if (now >= exp + rules->leeway)
		return SG_WINDOW_EXPIRED;
	if (has_iat && now < iat - rules->leeway)
		return SG_WINDOW_ISSUED_IN_FUTURE;
	if (has_nbf && now < nbf - rules->leeway)
		return SG_WINDOW_NOT_YET_VALID;
	if (has_iat && rules->max_age > 0 &&
	    now >= iat + rules->max_age + rules->leeway)
		return SG_WINDOW_TOO_OLD;
	if ((has_iat && rules->max_lifetime > 0 &&
	     exp - iat > rules->max_lifetime) ||
	    (has_nbf && exp <= nbf) || (has_iat && exp <= iat))
		return SG_WINDOW_LIFETIME;
	return SG_WINDOW_INSIDE;
}

static sg_usec least(sg_usec one, sg_usec other)
{
	return one < other ? one : other;
}

sg_usec sg_window_margin(const struct sg_claims *claims,
                         const struct sg_window_rules *rules, sg_usec now)
{
	sg_usec iat = claims->issued.time;
	sg_usec margin = claims->expires.time + rules->leeway - now;

	if (claims->issued.present)
		margin = least(margin, now - (iat - rules->leeway));
	if (claims->not_before.present)
		margin = least(margin, now - (claims->not_before.time - rules->leeway));
	if (claims->issued.present && rules->max_age > 0)
		margin = least(margin, iat + rules->max_age + rules->leeway - now);
	return margin;
}
