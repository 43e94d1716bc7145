/* SPDX-License-Identifier: MIT */
/* Time in microseconds, and as text. */
#include "base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FRACTION_DIGITS 6

static sg_usec clock_usec(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (sg_usec)now.tv_sec * SG_SECOND + now.tv_nsec / 1000;
}

sg_usec sg_time_now(void)
{
	return clock_usec(CLOCK_REALTIME);
}

sg_usec sg_time_elapsed(void)
{
	return clock_usec(CLOCK_MONOTONIC);
}

sg_usec sg_time_since_boot(void)
{
	return clock_usec(CLOCK_BOOTTIME);
}

void sg_time_sleep(sg_usec duration)
{
	struct timespec length = {
		.tv_sec = (time_t)(duration / SG_SECOND),
		.tv_nsec = (long)(duration % SG_SECOND) * 1000,
	};

	nanosleep(&length, NULL);
}

void sg_time_sleep_until(sg_usec instant)
{
	const struct timespec end = {
		.tv_sec = (time_t)(instant / SG_SECOND),
		.tv_nsec = (long)(instant % SG_SECOND) * 1000,
	};

	int status;
	do
		status = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
	while (status == EINTR);
}

/* ---- writing ------------------------------------------------------------ */

/* ".5" for half a second, "" for none. */
static void format_fraction(sg_usec time, char text[FRACTION_DIGITS + 2])
{
	snprintf(text, FRACTION_DIGITS + 2, ".%06u",
	         (unsigned)(time % SG_SECOND) % 1000000U);
	size_t length = FRACTION_DIGITS + 1;
	while (length > 0 && (text[length - 1] == '0' || text[length - 1] == '.'))
		text[--length] = '\0';
}

void sg_time_format(sg_usec time, char text[SG_TIME_SIZE])
{
	time_t seconds = (time_t)(time / SG_SECOND);
	char fraction[FRACTION_DIGITS + 2];
	char whole[SG_TIME_SIZE - sizeof fraction];
	struct tm parts;

	gmtime_r(&seconds, &parts);
	strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &parts);
	format_fraction(time, fraction);
	snprintf(text, SG_TIME_SIZE, "%s%sZ", whole, fraction);
}

void sg_time_format_seconds(sg_usec time, char text[SG_TIME_SIZE])
{
	sg_usec magnitude = time < 0 ? -time : time;
	char fraction[FRACTION_DIGITS + 2];

	format_fraction(magnitude, fraction);
	snprintf(text, SG_TIME_SIZE, "%s%lld%s", time < 0 ? "-" : "",
	         (long long)(magnitude / SG_SECOND), fraction);
}

void sg_time_format_rounded(sg_usec time, unsigned decimals,
                            char text[SG_TIME_SIZE])
{
	sg_usec magnitude = time < 0 ? -time : time;
	sg_usec unit = 1;
	sg_usec units = 1; /* in a second */

	for (unsigned i = decimals; i < FRACTION_DIGITS; i++)
		unit *= 10;
	for (unsigned i = 0; i < decimals; i++)
		units *= 10;
	sg_usec rounded = (magnitude + unit / 2) / unit;
	snprintf(text, SG_TIME_SIZE, "%s%lld.%0*lld",
	         time < 0 && rounded > 0 ? "-" : "", (long long)(rounded / units),
	         (int)decimals, (long long)(rounded % units));
}

/* ---- reading ------------------------------------------------------------ */

/* Exactly so many digits, as a number; or -1. */
static int read_digits(const char **text, int count)
{
	int value = 0;

	for (int i = 0; i < count; i++, (*text)++) {
		if (**text < '0' || **text > '9')
			return -1;
		value = value * 10 + (**text - '0');
	}
	return value;
}

static bool read_character(const char **text, const char *allowed)
{
	if (**text == '\0' || strchr(allowed, **text) == NULL)
		return false;
	(*text)++;
	return true;
}

/* An optional fraction of a second. */
static bool read_fraction(const char **text, sg_usec *fraction)
{
	sg_usec unit = SG_SECOND;

	*fraction = 0;
	if (!read_character(text, "."))
		return true;
	const char *first = *text;
	for (; **text >= '0' && **text <= '9'; (*text)++) {
		unit /= 10;
		*fraction += (**text - '0') * unit;
	}
	return *text > first;
}

bool sg_time_parse_seconds(const char *text, sg_usec *time)
{
	sg_usec seconds = 0;
	sg_usec fraction = 0;
	const char *first = text;

	for (; *text >= '0' && *text <= '9'; text++) {
		seconds = seconds * 10 + (*text - '0');
		if (seconds > SG_TIME_LAST / SG_SECOND)
			return false;
	}
	if (text == first || !read_fraction(&text, &fraction) || *text != '\0')
		return false;
	*time = seconds * SG_SECOND + fraction;
	return true;
}

/* "Z", or "+hh:mm": the seconds that the local time is ahead of UTC. */
static bool read_zone(const char **text, int *ahead)
{
	*ahead = 0;
	if (read_character(text, "Zz"))
		return true;
	int sign = **text == '-' ? -1 : 1;
	if (!read_character(text, "+-"))
		return false;
	int hours = read_digits(text, 2);
	bool colon = read_character(text, ":");
	int minutes = colon ? read_digits(text, 2) : -1;
	*ahead = sign * (hours * 3600 + minutes * 60);
	return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
}

static bool read_rfc3339(const char *text, sg_usec *time)
{
	struct tm parts = {0};
	sg_usec fraction = 0;
	int ahead = 0;
	int year = read_digits(&text, 4);
	bool shaped = read_character(&text, "-");
	int month = shaped ? read_digits(&text, 2) : -1;
	shaped = shaped && read_character(&text, "-");
	int day = shaped ? read_digits(&text, 2) : -1;
	shaped = shaped && read_character(&text, "Tt ");
	int hour = shaped ? read_digits(&text, 2) : -1;
	shaped = shaped && read_character(&text, ":");
	int minute = shaped ? read_digits(&text, 2) : -1;
	shaped = shaped && read_character(&text, ":");
	int second = shaped ? read_digits(&text, 2) : -1;

	if (!shaped || year < 0 || month < 1 || day < 1 || hour < 0 || hour > 23 ||
	    minute < 0 || minute > 59 || second < 0 || second > 60 ||
	    !read_fraction(&text, &fraction) || !read_zone(&text, &ahead) ||
	    *text != '\0')
		return false;
	parts.tm_year = year - 1900;
	parts.tm_mon = month - 1;
	parts.tm_mday = day;
	parts.tm_hour = hour;
	parts.tm_min = minute;
	time_t seconds = timegm(&parts) + second;
	/* A day that does not exist becomes another one. */
	if (parts.tm_mon != month - 1 || parts.tm_mday != day)
		return false;
	*time = ((sg_usec)seconds - ahead) * SG_SECOND + fraction;
	return *time >= 0 && *time <= SG_TIME_LAST;
}

int sg_time_parse(const char *text, sg_usec *time, struct sg_error *error)
{
	if (sg_time_parse_seconds(text, time) || read_rfc3339(text, time))
		return 0;
	return sg_fail(error, "bad-time",
	               "\"%s\" is not a time; write seconds since the epoch or "
	               "RFC 3339, such as 2026-01-31T12:00:00Z",
	               text);
}
