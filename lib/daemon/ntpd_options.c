/* SPDX-License-Identifier: MIT */
/* ntpd's own options, as far as they decide which config it reads. */
#include "daemon.h"

#include <string.h>

/* The options that take an argument, of ntpsec's ntpd and of the classic one
 * (ntpd(8)): no letter has an argument in one and none in the other. */
static const char letters_with_argument[] = "cDfiIklpPrstuUw";

static const char *const names_with_argument[] = {
	"configfile", "set-debug-level",  "driftfile", "jaildir",
	"interface",  "keyfile",          "logfile",   "pidfile",
	"priority",   "propagationdelay", "statsdir",  "trustedkey",
	"user",       "updateinterval",   "var",       "dvar",
	"wait-sync",  "saveconfigquit",   "pccfreq",
};

/* What a shell, or systemd, changes when it reads the variable or uses it. */
static const char changed_by_shell[] = "$`\\\"'*?[";

int sg_ntpd_split_options(const char *place, const char *options,
                          struct sg_texts *words, struct sg_error *error)
{
	static const char white[] = " \t\n";

	if (strpbrk(options, changed_by_shell) != NULL)
		return sg_fail(error, "options-unreadable",
		               "%s has a character that only a shell can read (%c), so "
		               "that ntpd's config is not known; write plain words "
		               "there, or use --config FILE --no-restart",
		               place, *strpbrk(options, changed_by_shell));
	for (const char *word = options + strspn(options, white); *word != '\0';) {
		size_t length = strcspn(word, white);

		if (sg_texts_add(words, "%.*s", (int)length, word) != 0)
			return sg_fail_memory(error);
		word += length;
		word += strspn(word, white);
	}
	return 0;
}

/* Whether `word`, up to `length`, is `name`, or begins it: both read their
 * options so. */
static bool abbreviates(const char *word, size_t length, const char *name)
{
	return length > 0 && strncmp(word, name, length) == 0;
}

/* Reads `--NAME`, `--NAME=VALUE` or `--NAME VALUE`; `*next` is the word behind
 * it, and is set to NULL when that is its argument. */
static const char *read_long(const char *word, const char **next)
{
	size_t length = strcspn(word, "=");
	bool config = abbreviates(word, length, names_with_argument[0]);
	const char *value = NULL;

	if (word[length] == '=')
		return config ? word + length + 1 : NULL;
	for (size_t i = 0;
	     i < sizeof names_with_argument / sizeof *names_with_argument; i++)
		if (*next != NULL &&
		    abbreviates(word, length, names_with_argument[i])) {
			value = *next;
			*next = NULL;
		}
	return config ? value : NULL;
}

/* The same for a word of letters, the last of which may have an argument. */
static const char *read_letters(const char *word, const char **next)
{
	size_t flags = strcspn(word, letters_with_argument);
	const char *value = word + flags + 1;

	if (word[flags] == '\0')
		return NULL;
	if (*value == '\0') {
		value = *next;
		*next = NULL;
	}
	return word[flags] == 'c' ? value : NULL;
}

const char *sg_ntpd_config(const struct sg_texts *words)
{
	const char *config = NULL;

	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i];
		bool more = i + 1 < words->count;
		const char *next = more ? words->items[i + 1] : NULL;
		const char *value = NULL;

		if (strcmp(word, "--") == 0)
			break;
		if (strncmp(word, "--", 2) == 0)
			value = read_long(word + 2, &next);
		else if (word[0] == '-')
			value = read_letters(word + 1, &next);
		if (value != NULL)
			config = value; /* the last one counts */
		if (more && next == NULL)
			i++; /* it was an argument */
	}
	return config;
}
