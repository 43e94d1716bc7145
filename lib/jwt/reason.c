/* SPDX-License-Identifier: MIT */
/* Why a token is refused: the reasons' names, and the refusals themselves. */
#include "jwt.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const names[] = {
	[SG_ACCEPTED] = "accepted",
	[SG_UNAVAILABLE] = "unavailable",
	[SG_MALFORMED] = "malformed",
	[SG_ALGORITHM] = "algorithm",
	[SG_UNKNOWN_KEY] = "unknown_key",
	[SG_BAD_SIGNATURE] = "bad_signature",
	[SG_CLAIM_TYPE] = "claim_type",
	[SG_MISSING_CLAIM] = "missing_claim",
	[SG_ISSUER] = "issuer",
	[SG_AUDIENCE] = "audience",
	[SG_USER] = "user",
	[SG_CLOCK] = "clock",
	[SG_EXPIRED] = "expired",
	[SG_ISSUED_IN_FUTURE] = "issued_in_future",
	[SG_NOT_YET_VALID] = "not_yet_valid",
	[SG_TOO_OLD] = "too_old",
	[SG_LIFETIME] = "lifetime",
	[SG_REPLAYED] = "replayed",
};

const char *sg_reason_name(enum sg_reason reason)
{
	return names[reason];
}

enum sg_reason sg_refuse(struct sg_error *error, enum sg_reason reason,
                         const char *format, ...)
{
	char text[SG_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	sg_fail(error, names[reason], "%s", text);
	return reason;
}

enum sg_reason sg_refuse_memory(struct sg_error *error)
{
	sg_fail_memory(error);
	return SG_UNAVAILABLE;
}
