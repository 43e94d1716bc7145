/*
 * The decision in words: for the log, and for the user.
 *
 * The log line is for machines and people alike. Strangers write much of it (a
 * user name is logged before anybody is known), so nothing of theirs can begin
 * a line, add a field or fill a disk. No byte of the token itself is in it.
 */
#include "gate.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

/* Bytes of a value in the log: any name that is honest fits. */
#define MAX_VALUE 128

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

static const char *const culprits[] = {
	[SG_CULPRIT_UNKNOWN] = "unknown",
	[SG_CULPRIT_NONE] = "none",
	[SG_CULPRIT_ISSUER] = "issuer",
	[SG_CULPRIT_HOST] = "host",
};

const char *sg_reason_name(enum sg_reason reason)
{
	return names[reason];
}

const char *sg_culprit_name(enum sg_culprit culprit)
{
	return culprits[culprit];
}

/* ---- the log ------------------------------------------------------------ */

static bool is_plain(unsigned char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= '0' && byte <= '9') ||
	       (byte != '\0' && strchr("._:/@+-", byte) != NULL);
}

/* A field, unless there is no value. */
static void put_text(FILE *line, const char *key, const char *value)
{
	size_t room = MAX_VALUE;

	if (value == NULL)
		return;
	fprintf(line, " %s=", key);
	for (; *value != '\0'; value++) {
		unsigned char byte = (unsigned char)*value;
		size_t needed = is_plain(byte) ? 1 : 3;

		if (needed > room)
			return;
		room -= needed;
		fprintf(line, needed == 1 ? "%c" : "%%%02X", byte);
	}
}

static void put_time(FILE *line, const char *key, sg_usec time)
{
	char text[SG_TIME_SIZE];

	sg_time_format_seconds(time, text);
	fprintf(line, " %s=%s", key, text);
}

static void put_duration(FILE *line, const char *key, sg_usec duration)
{
	fprintf(line, " %s=%.3fs", key, (double)duration / 1e6);
}

/* How far the token is off, by the reason. */
static void put_distance(FILE *line, const struct sg_verdict *verdict)
{
	const struct sg_claims *claims = &verdict->claims;
	sg_usec now = verdict->now;

	switch (verdict->reason) {
	case SG_ISSUED_IN_FUTURE:
		put_duration(line, "ahead", claims->issued.time - now);
		break;
	case SG_NOT_YET_VALID:
		put_duration(line, "ahead", claims->not_before.time - now);
		break;
	case SG_EXPIRED:
		put_duration(line, "late", now - claims->expires.time);
		break;
	case SG_TOO_OLD:
		put_duration(line, "late",
		             now - claims->issued.time - verdict->rules.max_age);
		break;
	case SG_ACCEPTED:
		put_duration(line, "margin", verdict->margin);
		break;
	default:
		break;
	}
}

/* What the clock is worth, and whose fault it was. */
static void put_clock(FILE *line, const struct sg_verdict *verdict)
{
	const struct sg_clock *clock = &verdict->clock;

	put_text(line, "clock", sg_clock_state_name(clock->state));
	if (clock->measured)
		fprintf(line, " host_offset=%.4fs", (double)clock->offset / 1e6);
	if (clock->bounded)
		fprintf(line, " bound=%.4fs", (double)clock->bound / 1e6);
	if (clock->daemon_gone)
		put_text(line, "daemon", "gone");
	if (!clock->measured)
		put_text(line, "record", clock->record.code);
	put_text(line, "culprit", sg_culprit_name(verdict->culprit));
	if (verdict->clock_bad)
		put_text(line, "warning", "bad_clock");
}

char *sg_verdict_log(const struct sg_verdict *verdict, const char *user,
                     const char *host)
{
	const struct sg_jws *jws = &verdict->jws;
	const struct sg_claims *claims = &verdict->claims;
	char *text = NULL;
	size_t size = 0;
	FILE *line = open_memstream(&text, &size);

	if (line == NULL)
		return NULL;
	if (verdict->reason == SG_ACCEPTED)
		fputs("decision=accept", line);
	else
		fprintf(line, "decision=refuse reason=%s", names[verdict->reason]);
	put_text(line, "user", user);
	put_text(line, "rhost", host);
	put_text(line, "alg",
	         json_string_value(json_object_get(jws->header, "alg")));
	put_text(line, "kid", jws->kid);
	if (verdict->verified) {
		put_text(line, "iss", claims->issuer);
		put_text(line, "sub", claims->subject);
		put_text(line, "jti", claims->id);
		if (claims->issued.present)
			put_time(line, "iat", claims->issued.time);
	}
	put_time(line, "now", verdict->now);
	if (verdict->judged_time) {
		put_distance(line, verdict);
		put_time(line, "leeway", verdict->rules.leeway);
		fputc('s', line);
	}
	if (verdict->verified)
		put_clock(line, verdict);
	if (verdict->reason == SG_UNAVAILABLE) {
		put_text(line, "error", verdict->error.code);
		put_text(line, "detail", verdict->error.text);
	}
	if (fclose(line) == 0)
		return text;
	free(text);
	return NULL;
}

int sg_verdict_priority(const struct sg_verdict *verdict)
{
	if (verdict->reason == SG_UNAVAILABLE)
		return LOG_ERR;
	if (verdict->jws.junk)
		return LOG_DEBUG;
	if (verdict->clock_bad)
		return LOG_WARNING;
	return verdict->reason == SG_ACCEPTED && !verdict->leeway_used ? LOG_INFO
	                                                               : LOG_NOTICE;
}

/* ---- the user ----------------------------------------------------------- */

/* Why a token lies in the future. */
static const char *blame(enum sg_culprit culprit)
{
	if (culprit == SG_CULPRIT_ISSUER)
		return "its issuer's clock is ahead";
	if (culprit == SG_CULPRIT_HOST)
		return "this host's clock is behind";
	return "its issuer's clock is ahead, or this host's is behind";
}

bool sg_verdict_message(const struct sg_verdict *verdict, char *text,
                        size_t size)
{
	const struct sg_claims *claims = &verdict->claims;
	const struct sg_window_rules *rules = &verdict->rules;
	sg_usec now = verdict->now;

	switch (verdict->reason) {
	case SG_EXPIRED:
		snprintf(text, size, "This token expired %.1f s ago: get a new one.",
		         (double)(now - claims->expires.time) / 1e6);
		return true;
	case SG_ISSUED_IN_FUTURE:
		snprintf(text, size, "This token was issued %.1f s in the future: %s.",
		         (double)(claims->issued.time - now) / 1e6,
		         blame(verdict->culprit));
		return true;
	case SG_NOT_YET_VALID:
		snprintf(text, size, "This token is not valid for another %.1f s.",
		         (double)(claims->not_before.time - now) / 1e6);
		return true;
	case SG_TOO_OLD:
		snprintf(text, size,
		         "This token was issued %.1f s ago, and this host takes none "
		         "older than %.0f s: get a new one.",
		         (double)(now - claims->issued.time) / 1e6,
		         (double)rules->max_age / 1e6);
		return true;
	case SG_LIFETIME:
		if (rules->max_lifetime > 0 &&
		    claims->expires.time - claims->issued.time > rules->max_lifetime)
			snprintf(text, size,
			         "This token lives for %.1f s, and this host takes none "
			         "that lives for more than %.0f s.",
			         (double)(claims->expires.time - claims->issued.time) / 1e6,
			         (double)rules->max_lifetime / 1e6);
		else
			snprintf(text, size, "This token ends before it begins.");
		return true;
	case SG_REPLAYED:
		snprintf(text, size,
		         "This token was used before, and is good for one login: get "
		         "a new one.");
		return true;
	case SG_CLOCK:
		snprintf(text, size,
		         "This host's clock is not known to be right: no token is "
		         "taken until it is.");
		return true;
	default:
		return false;
	}
}
