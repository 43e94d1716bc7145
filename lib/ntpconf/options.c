/* SPDX-License-Identifier: MIT */
/* The words of a `server` line: which of them ntpd knows, what they name. */
#include "lines.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* Longest option text: four times what anybody has needed. */
#define MAX_OPTIONS 256

/* Options that both daemons know (ntp.conf(5)), with the numbers that they
 * take; a highest of 0 is for those without one. ntpd drops a line whose key is
 * above 65534, and no server answers a version 0. `noselect` is not among them:
 * it follows nobody. */
static const struct {
	const char *word;
	unsigned long lowest;
	unsigned long highest;
} known_options[] = {
	{"burst", 0, 0},   {"iburst", 0, 0},   {"prefer", 0, 0},
	{"true", 0, 0},    {"minpoll", 0, 17}, {"maxpoll", 0, 17},
	{"version", 1, 4}, {"key", 0, 65534},
};

static int check_option(const char *word, const char *number, bool *used,
                        struct sg_error *error)
{
	for (size_t i = 0; i < sizeof known_options / sizeof *known_options; i++) {
		char *end = NULL;

		if (strcmp(word, known_options[i].word) != 0)
			continue;
		*used = known_options[i].highest > 0;
		if (!*used)
			return 0;
		if (number != NULL && number[0] >= '0' && number[0] <= '9') {
			unsigned long value = strtoul(number, &end, 10);

			if (*end == '\0' && value >= known_options[i].lowest &&
			    value <= known_options[i].highest)
				return 0;
		}
		return sg_fail(error, "bad-server-options",
		               "--server-options: %s needs a number from %lu to %lu",
		               word, known_options[i].lowest, known_options[i].highest);
	}
	if (strcmp(word, "noselect") == 0)
		return sg_fail(error, "bad-server-options",
		               "--server-options: noselect would make ntpd never "
		               "follow the server; leave it out");
	return sg_fail(
		error, "bad-server-options",
		"--server-options: ntpd drops a line with the word \"%s\"; known are "
		"burst, iburst, prefer, true, minpoll N, maxpoll N, version N, key N",
		word);
}

int sg_ntpconf_check_options(const char *options, struct sg_error *error)
{
	sg_auto_free char *copy = strdup(options);
	char *rest = NULL;

	if (copy == NULL)
		return sg_fail_memory(error);
	if (strlen(options) > MAX_OPTIONS)
		return sg_fail(error, "bad-server-options",
		               "--server-options is longer than %d bytes", MAX_OPTIONS);
	for (const char *byte = options; *byte != '\0'; byte++)
		if ((unsigned char)*byte < ' ' || *byte == 127)
			return sg_fail(error, "bad-server-options",
			               "--server-options holds a control character; only "
			               "words and spaces can stand on the server line");

	char *word = strtok_r(copy, " ", &rest);
	while (word != NULL) {
		char *number = strtok_r(NULL, " ", &rest);
		bool used = false;

		if (check_option(word, number, &used, error) != 0)
			return -1;
		word = used ? strtok_r(NULL, " ", &rest) : number;
	}
	return 0;
}

bool sg_ntpconf_same_server(const char *one, const char *other)
{
	static const int families[] = {AF_INET, AF_INET6};
	unsigned char left[sizeof(struct in6_addr)];
	unsigned char right[sizeof(struct in6_addr)];

	for (size_t i = 0; i < 2; i++)
		if (inet_pton(families[i], one, left) == 1)
			return inet_pton(families[i], other, right) == 1 &&
			       memcmp(left, right, families[i] == AF_INET ? 4 : 16) == 0;
	return strcasecmp(one, other) == 0;
}

bool sg_ntpconf_is_address(const char *text)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, bytes) == 1 ||
	       inet_pton(AF_INET6, text, bytes) == 1;
}

bool sg_ntpconf_is_keyword(const char *name)
{
	/* The only ones that stand where an address does. */
	return strcmp(name, "default") == 0 || strcmp(name, "source") == 0;
}
