/* SPDX-License-Identifier: MIT */
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

/* Bytes of a value in the log: any name that is honest fits. A subject may be
 * a whole path of names, and policies are written from what the log says. */
#define MAX_VALUE ((size_t)128)
#define MAX_SUBJECT ((size_t)256)

static const char *const culprits[] = {
	[SG_CULPRIT_UNKNOWN] = "unknown",
	[SG_CULPRIT_NONE] = "none",
	[SG_CULPRIT_ISSUER] = "issuer",
	[SG_CULPRIT_HOST] = "host",
};

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

/* How many bytes a value has in the log. */
static size_t escaped_size(const char *value)
{
	size_t size = 0;

	for (; *value != '\0'; value++)
		size += is_plain((unsigned char)*value) ? 1 : 3;
	return size;
}

/* A field of at most so many bytes, unless there is no value. One that is cut
 * ends with a % of its own, as no whole value does. */
static void put_limited(FILE *line, const char *key, const char *value,
                        size_t limit)
{
	if (value == NULL)
		return;
	bool cut = escaped_size(value) > limit;
	size_t room = cut ? limit - 1 : limit;

	fprintf(line, " %s=", key);
	for (; *value != '\0'; value++) {
		unsigned char byte = (unsigned char)*value;
		size_t needed = is_plain(byte) ? 1 : 3;

		if (needed > room)
			break;
		room -= needed;
		fprintf(line, needed == 1 ? "%c" : "%%%02X", byte);
	}
	if (cut)
		fputc('%', line);
}

static void put_text(FILE *line, const char *key, const char *value)
{
	put_limited(line, key, value, MAX_VALUE);
}

static void put_time(FILE *line, const char *key, sg_usec time)
{
	char text[SG_TIME_SIZE];

	sg_time_format_seconds(time, text);
	fprintf(line, " %s=%s", key, text);
}

static void put_seconds(FILE *line, const char *key, sg_usec duration,
                        unsigned decimals)
{
	char text[SG_TIME_SIZE];

	sg_time_format_rounded(duration, decimals, text);
	fprintf(line, " %s=%ss", key, text);
}

static void put_duration(FILE *line, const char *key, sg_usec duration)
{
	put_seconds(line, key, duration, 3);
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
		put_seconds(line, "host_offset", clock->offset, 4);
	if (clock->bounded)
		put_seconds(line, "bound", clock->bound, 4);
	if (clock->daemon_gone)
		put_text(line, "daemon", "gone");
	if (!clock->measured)
		put_text(line, "record", clock->record.code);
	put_text(line, "culprit", sg_culprit_name(verdict->culprit));
	if (verdict->clock_bad)
		put_text(line, "warning",
		         verdict->store_filling ? "bad_clock+store_filling"
		                                : "bad_clock");
	else if (verdict->store_filling)
		put_text(line, "warning", "store_filling");
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
		fprintf(line, "decision=refuse reason=%s",
		        sg_reason_name(verdict->reason));
	put_text(line, "user", user);
	put_text(line, "rhost", host);
	put_text(line, "alg",
	         json_string_value(json_object_get(jws->header, "alg")));
	put_text(line, "kid", jws->kid);
	if (verdict->verified) {
		put_text(line, "iss", claims->issuer);
		put_limited(line, "sub", claims->subject, MAX_SUBJECT);
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
	if (verdict->clock_bad || verdict->store_filling)
		return LOG_WARNING;
	return verdict->reason == SG_ACCEPTED && !verdict->leeway_used ? LOG_INFO
	                                                               : LOG_NOTICE;
}

/* ---- the culprit -------------------------------------------------------- */

/* Why a token lies outside of its window: the clock that is at fault, where
 * that is known, else each that may be; or what to do when none is. */
static const char *blame(enum sg_reason reason, enum sg_culprit culprit)
{
	bool future = reason == SG_ISSUED_IN_FUTURE || reason == SG_NOT_YET_VALID;

	switch (culprit) {
	case SG_CULPRIT_ISSUER:
		return "its issuer's clock is ahead";
	case SG_CULPRIT_HOST:
		return future ? "this host's clock is behind"
		              : "this host's clock is ahead";
	case SG_CULPRIT_NONE:
		if (reason == SG_NOT_YET_VALID)
			return "the issuer meant so";
		return future ? "no time suits it" : "get a new one";
	case SG_CULPRIT_NOT_ASKED:
	case SG_CULPRIT_UNKNOWN:
		break;
	}
	if (reason == SG_NOT_YET_VALID)
		return "the issuer meant so, its clock is ahead, or this host's is "
			   "behind";
	return future ? "its issuer's clock is ahead, or this host's is behind"
	              : "get a new one";
}

/* ---- the administrator -------------------------------------------------- */

/* A duration in seconds, as text. */
struct seconds {
	char text[SG_TIME_SIZE];
};

static struct seconds seconds(sg_usec time)
{
	struct seconds made = {""};

	sg_time_format_seconds(time, made.text);
	return made;
}

sg_usec sg_verdict_end(const struct sg_verdict *verdict, const char **name)
{
	sg_usec end = verdict->claims.expires.time;
	sg_usec oldest = verdict->claims.issued.time + verdict->rules.max_age;

	*name = "exp";
	if (verdict->rules.max_age == 0 || oldest >= end)
		return end;
	*name = "max_age";
	return oldest;
}

/* What is left until the token ends, and apart from that what the leeway adds.
 */
static void describe_accepted(const struct sg_login *login,
                              struct sg_verdict *verdict)
{
	const char *name = NULL;
	sg_usec left = sg_verdict_end(verdict, &name) - verdict->now;
	sg_usec leeway = verdict->rules.leeway;
	const char *user = login->user == NULL ? "; the user was not checked" : "";
	struct sg_error *told = &verdict->error;

	if (left > 0)
		snprintf(told->text, sizeof told->text,
		         "the token is good for another %s s (%s), and the leeway adds "
		         "%s s%s",
		         seconds(left).text, name, seconds(leeway).text, user);
	else
		snprintf(told->text, sizeof told->text,
		         "the token ended %s s ago (%s), and the leeway of %s s is not "
		         "over%s",
		         seconds(-left).text, name, seconds(leeway).text, user);
}

static void describe_lifetime(const struct sg_claims *claims,
                              struct sg_error *error)
{
	if (claims->not_before.present &&
	    claims->expires.time <= claims->not_before.time)
		sg_refuse(error, SG_LIFETIME,
		          "the token ends (exp) before it begins (nbf); no time suits "
		          "it");
	else
		sg_refuse(error, SG_LIFETIME,
		          "the token lives for %s s (iat to exp); it has to be more "
		          "than 0, and at most max_lifetime where that is set",
		          seconds(claims->expires.time - claims->issued.time).text);
}

void sg_verdict_describe(struct sg_verdict *verdict, enum sg_reason reason,
                         const struct sg_login *login)
{
	const struct sg_claims *claims = &verdict->claims;
	const struct sg_window_rules *rules = &verdict->rules;
	struct sg_error *error = &verdict->error;
	const char *why = blame(reason, verdict->culprit);
	sg_usec now = verdict->now;

	switch (reason) {
	case SG_EXPIRED:
		sg_refuse(error, reason,
		          "the token expired %s s ago (exp), and the leeway is %s s; "
		          "%s",
		          seconds(now - claims->expires.time).text,
		          seconds(rules->leeway).text, why);
		break;
	case SG_ISSUED_IN_FUTURE:
		sg_refuse(error, reason,
		          "the token was issued %s s in the future (iat), and the "
		          "leeway is %s s; %s",
		          seconds(claims->issued.time - now).text,
		          seconds(rules->leeway).text, why);
		break;
	case SG_NOT_YET_VALID:
		sg_refuse(error, reason,
		          "the token is valid in %s s only (nbf), and the leeway is "
		          "%s s; %s",
		          seconds(claims->not_before.time - now).text,
		          seconds(rules->leeway).text, why);
		break;
	case SG_TOO_OLD:
		sg_refuse(error, reason,
		          "the token was issued %s s ago (iat), and max_age is %s s; "
		          "%s",
		          seconds(now - claims->issued.time).text,
		          seconds(rules->max_age).text, why);
		break;
	case SG_LIFETIME:
		describe_lifetime(claims, error);
		break;
	default:
		describe_accepted(login, verdict);
	}
}

/* ---- the user ----------------------------------------------------------- */

/* A duration as people say it. */
struct rounded {
	char text[SG_TIME_SIZE];
};

static struct rounded rounded(sg_usec time)
{
	struct rounded made = {""};

	sg_time_format_rounded(time, 1, made.text);
	return made;
}

static void tell_lifetime(const struct sg_verdict *verdict, char *text,
                          size_t size)
{
	sg_usec most = verdict->rules.max_lifetime;
	sg_usec lifetime =
		verdict->claims.expires.time - verdict->claims.issued.time;

	if (most > 0 && lifetime > most)
		snprintf(text, size,
		         "This token lives for %s s, and this host takes none that "
		         "lives for more than %lld s.",
		         rounded(lifetime).text, (long long)(most / SG_SECOND));
	else
		snprintf(text, size, "This token ends before it begins.");
}

bool sg_verdict_message(const struct sg_verdict *verdict, char *text,
                        size_t size)
{
	const struct sg_claims *claims = &verdict->claims;
	enum sg_culprit culprit = verdict->culprit;
	sg_usec now = verdict->now;

	switch (verdict->reason) {
	case SG_EXPIRED:
		snprintf(text, size, "This token expired %s s ago: %s.",
		         rounded(now - claims->expires.time).text,
		         blame(SG_EXPIRED, culprit));
		return true;
	case SG_ISSUED_IN_FUTURE:
		snprintf(text, size, "This token was issued %s s in the future: %s.",
		         rounded(claims->issued.time - now).text,
		         blame(SG_ISSUED_IN_FUTURE, culprit));
		return true;
	case SG_NOT_YET_VALID:
		snprintf(text, size, "This token is not valid for another %s s.",
		         rounded(claims->not_before.time - now).text);
		return true;
	case SG_TOO_OLD:
		snprintf(text, size,
		         "This token was issued %s s ago, and this host takes none "
		         "older than %lld s: %s.",
		         rounded(now - claims->issued.time).text,
		         (long long)(verdict->rules.max_age / SG_SECOND),
		         blame(SG_TOO_OLD, culprit));
		return true;
	case SG_LIFETIME:
		tell_lifetime(verdict, text, size);
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
