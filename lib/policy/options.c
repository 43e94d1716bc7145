/* SPDX-License-Identifier: MIT */
/*
 * The options: lines of the config, and arguments in the PAM stack.
 *
 * A line that is not understood is an error, never a default: a misspelt
 * `audience` would let in what its writer meant to keep out.
 */
#include "policy.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_CONFIG SG_CONFIG_DIR "/skewgate.conf"
#define DEFAULT_KEYS SG_CONFIG_DIR "/jwks.json"

/* Sixty-four times what the longest config needs. */
#define MAX_CONFIG ((size_t)64 * 1024)

/* A key set of this size costs a login 160 MB while it is parsed. */
#define MAX_KEYS ((size_t)2 * 1024 * 1024)

enum kind {
	TEXT,
	PATH,
	LIST,
	ADDING_LIST, /* a further line adds to it */
	ALGORITHMS,
	LEEWAY,
	SECONDS,
	BAD_CLOCK,
	BOOLEAN,
};

static const struct {
	const char *name;
	enum kind kind;
	size_t offset; /* in struct sg_options */
} known[] = {
	{"keys", PATH, offsetof(struct sg_options, keys)},
	{"issuer", TEXT, offsetof(struct sg_options, policy.issuer)},
	{"audience", ADDING_LIST, offsetof(struct sg_options, policy.audiences)},
	{"algorithms", ALGORITHMS, offsetof(struct sg_options, policy.algorithms)},
	{"user_claim", TEXT, offsetof(struct sg_options, policy.user_claim)},
	{"user_suffix", TEXT, offsetof(struct sg_options, policy.user_suffix)},
	{"require", LIST, offsetof(struct sg_options, policy.required)},
	{"leeway", LEEWAY, offsetof(struct sg_options, policy.window.leeway)},
	{"max_age", SECONDS, offsetof(struct sg_options, policy.window.max_age)},
	{"max_lifetime", SECONDS,
     offsetof(struct sg_options, policy.window.max_lifetime)},
	{"on_bad_clock", BAD_CLOCK,
     offsetof(struct sg_options, policy.on_bad_clock)},
	{"max_clock_error", SECONDS,
     offsetof(struct sg_options, policy.max_clock_error)},
	{"single_use", BOOLEAN, offsetof(struct sg_options, policy.single_use)},
	{"end_session", BOOLEAN, offsetof(struct sg_options, end_session)},
	{"use_first_pass", BOOLEAN, offsetof(struct sg_options, use_first_pass)},
	{"debug", BOOLEAN, offsetof(struct sg_options, debug)},
};

/* Where an option stands, and what was seen there before. */
struct source {
	const char *config;
	int line; /* 0: an argument */
	bool has_audience;
};

/* ---- values ------------------------------------------------------------- */

static int fail_value(const struct source *source, const char *name,
                      const char *wanted, struct sg_error *error)
{
	if (source->line == 0)
		return sg_fail(error, "option-invalid",
		               "the argument %s has no usable value; it has to be %s",
		               name, wanted);
	return sg_fail(error, "option-invalid",
	               "%s:%d: %s has no usable value; it has to be %s",
	               source->config, source->line, name, wanted);
}

static int set_text(char **field, const char *value, struct sg_error *error)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return sg_fail_memory(error);
	free(*field);
	*field = copy;
	return 0;
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
	static const char blanks[] = " \t\r";

	text += strspn(text, blanks);
	size_t length = strlen(text);
	while (length > 0 && strchr(blanks, text[length - 1]) != NULL)
		length--;
	text[length] = '\0';
	return text;
}

/* Adds the items of a list; 1 when one of them is empty. */
static int add_items(struct sg_texts *list, char *value, struct sg_error *error)
{
	for (char *rest = value; rest != NULL;) {
		const char *item = trim(strsep(&rest, ","));

		if (item[0] == '\0')
			return 1;
		if (sg_texts_add(list, "%s", item) != 0)
			return sg_fail_memory(error);
	}
	return 0;
}

static int set_algorithms(sg_algorithms *field, char *value)
{
	sg_algorithms chosen = 0;

	for (char *rest = value; rest != NULL;) {
		const struct sg_algorithm *algorithm =
			sg_algorithm_named(trim(strsep(&rest, ",")));

		if (algorithm == NULL)
			return 1;
		chosen |= sg_algorithm_bit(algorithm);
	}
	*field = chosen;
	return 0;
}

static int set_seconds(sg_usec *field, const char *value, sg_usec least,
                       sg_usec most)
{
	sg_usec seconds = 0;

	for (const char *digit = value; *digit != '\0'; digit++) {
		if (*digit < '0' || *digit > '9')
			return 1;
		seconds = seconds * 10 + (*digit - '0');
		if (seconds > most)
			return 1;
	}
	if (seconds < least)
		return 1;
	*field = seconds * SG_SECOND;
	return 0;
}

static int set_bad_clock(enum sg_bad_clock *field, const char *value)
{
	static const char *const names[] = {
		[SG_BAD_CLOCK_IGNORE] = "ignore",
		[SG_BAD_CLOCK_WARN] = "warn",
		[SG_BAD_CLOCK_DENY] = "deny",
	};

	for (enum sg_bad_clock i = SG_BAD_CLOCK_IGNORE; i <= SG_BAD_CLOCK_DENY; i++)
		if (strcmp(names[i], value) == 0) {
			*field = i;
			return 0;
		}
	return 1;
}

static int set_boolean(bool *field, const char *value)
{
	bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0)
		return 1;
	*field = yes;
	return 0;
}

/* Returns 0, -1 and an error, or 1: the value is not what `*wanted` says. */
static int set_field(enum kind kind, void *field, char *value, bool replaces,
                     const char **wanted, struct sg_error *error)
{
	switch (kind) {
	case PATH:
		*wanted = "an absolute path";
		return value[0] == '/' ? set_text(field, value, error) : 1;
	case TEXT:
		*wanted = "a text";
		return set_text(field, value, error);
	case LIST:
	case ADDING_LIST:
		*wanted = "texts separated by commas";
		if (kind == LIST || replaces)
			sg_texts_free(field);
		return add_items(field, value, error);
	case ALGORITHMS:
		*wanted = "names of algorithms separated by commas, such as "
				  "ES256,EdDSA";
		return set_algorithms(field, value);
	case LEEWAY:
		*wanted = "0 to 300, in seconds";
		return set_seconds(field, value, 0, SG_MAX_LEEWAY / SG_SECOND);
	case SECONDS:
		*wanted = "1 or more, in seconds";
		return set_seconds(field, value, 1, SG_TIME_LAST / SG_SECOND);
	case BAD_CLOCK:
		*wanted = "ignore, warn or deny";
		return set_bad_clock(field, value);
	case BOOLEAN:
		break;
	}
	*wanted = "yes or no";
	return set_boolean(field, value);
}

/* `value` is changed; NULL: there is none. */
static int set_option(struct source *source, const char *name, char *value,
                      struct sg_options *options, struct sg_error *error)
{
	char yes[] = "yes";
	const char *wanted = "given";
	char quoted[SG_QUOTED_SIZE];

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		bool replaces = source->line == 0 && !source->has_audience;
		if (known[i].kind == ADDING_LIST)
			source->has_audience = true;
		if (value == NULL && known[i].kind == BOOLEAN)
			value = yes;
		if (value == NULL || value[0] == '\0')
			return fail_value(source, name, wanted, error);
		int failed = set_field(known[i].kind, (char *)options + known[i].offset,
		                       value, replaces, &wanted, error);
		return failed > 0 ? fail_value(source, name, wanted, error) : failed;
	}
	sg_quote(name, quoted);
	if (source->line == 0)
		return sg_fail(error, "option-unknown",
		               "there is no option %s; correct the argument in the PAM "
		               "stack, see pam_skewgate(8)",
		               quoted);
	return sg_fail(error, "option-unknown",
	               "%s:%d: there is no option %s; correct the line, see "
	               "skewgate.conf(5)",
	               source->config, source->line, quoted);
}

/* ---- the config --------------------------------------------------------- */

static int read_line(struct source *source, char *line,
                     struct sg_options *options, struct sg_error *error)
{
	char *value = trim(line);

	if (value[0] == '\0' || value[0] == '#')
		return 0;
	const char *name = strsep(&value, "=");
	if (value == NULL)
		return sg_fail(error, "option-invalid",
		               "%s:%d: the line is not \"name = value\"; correct it",
		               source->config, source->line);
	return set_option(source, trim((char *)(uintptr_t)name), trim(value),
	                  options, error);
}

static int read_config(const char *path, char *bytes, size_t size,
                       struct sg_options *options, struct sg_error *error)
{
	struct source source = {.config = path};
	int failed = 0;

	if (memchr(bytes, '\0', size) != NULL)
		return sg_fail(error, "option-invalid",
		               "%s is not a text file: it holds a NUL; write it anew",
		               path);
	for (char *rest = bytes; rest != NULL && failed == 0;) {
		char *line = strsep(&rest, "\n");

		source.line++;
		failed = read_line(&source, line, options, error);
	}
	return failed;
}

/* The value of the last argument `config=`, or NULL. */
static const char *find_config(int count, const char *const *arguments)
{
	static const char name[] = "config=";
	const char *found = NULL;

	for (int i = 0; i < count; i++)
		if (strncmp(arguments[i], name, strlen(name)) == 0)
			found = arguments[i] + strlen(name);
	return found;
}

static int read_arguments(int count, const char *const *arguments,
                          struct sg_options *options, struct sg_error *error)
{
	struct source source = {0};

	for (int i = 0; i < count; i++) {
		sg_auto_free char *copy = strdup(arguments[i]);
		char *value = copy;

		if (copy == NULL)
			return sg_fail_memory(error);
		const char *name = strsep(&value, "=");
		if (value != NULL && strcmp(name, "config") == 0)
			continue;
		if (set_option(&source, name, value, options, error) != 0)
			return -1;
	}
	return 0;
}

int sg_options_read(int count, const char *const *arguments,
                    struct sg_options *options, struct sg_error *error)
{
	const char *named = find_config(count, arguments);
	const char *path = named != NULL ? named : DEFAULT_CONFIG;
	sg_auto_free char *bytes = NULL;
	size_t size = 0;

	if (path[0] != '/')
		return sg_fail(error, "option-invalid",
		               "the argument config needs an absolute path");
	options->config = strdup(path);
	options->keys = strdup(DEFAULT_KEYS);
	if (sg_policy_begin(&options->policy) != 0 || options->config == NULL ||
	    options->keys == NULL)
		return sg_fail_memory(error);
	if (sg_trusted_read(path, MAX_CONFIG, &bytes, &size, error) != 0) {
		if (named != NULL || strcmp(error->code, "file-missing") != 0)
			return -1;
	} else if (read_config(path, bytes, size, options, error) != 0) {
		return -1;
	}
	if (read_arguments(count, arguments, options, error) != 0)
		return -1;
	if (options->policy.issuer == NULL)
		return sg_fail(error, "option-missing",
		               "the option issuer is missing, without which nobody can "
		               "log in; write \"issuer = ...\" into %s",
		               path);
	return 0;
}

int sg_options_read_keys(const struct sg_options *options,
                         struct sg_jwks **keys, struct sg_error *error)
{
	struct sg_error reason = {0};
	char *bytes = NULL;
	size_t size = 0;

	if (sg_trusted_read(options->keys, MAX_KEYS, &bytes, &size, error) != 0)
		return -1;
	int failed = sg_jwks_parse(bytes, size, keys, &reason);
	explicit_bzero(bytes, size);
	free(bytes);
	return failed == 0 ? 0
	                   : sg_fail(error, reason.code, "%s cannot be used: %s",
	                             options->keys, reason.text);
}

void sg_options_free(struct sg_options *options)
{
	free(options->config);
	free(options->keys);
	sg_policy_free(&options->policy);
	*options = (struct sg_options){0};
}
