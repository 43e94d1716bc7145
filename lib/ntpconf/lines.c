/* SPDX-License-Identifier: MIT */
/*
 * Text as numbered lines of words, through Augeas and our own lens.
 *
 * Only reading goes through the tree. Unchanged lines are carried over as
 * bytes: that is exact whatever they hold, and writing a thousand lines through
 * a lens takes a quarter of a second.
 */
#include "lines.h"

#include <stdio.h>
#include <string.h>

#define LENS "Skewgate_Ntp.lns"

void sg_cleanup_augeas(struct augeas **augeas)
{
	if (*augeas != NULL)
		aug_close(*augeas);
}

static const char *lens_directory(void)
{
	const char *lenses = secure_getenv("SKEWGATE_LENSES");

	return lenses != NULL ? lenses : SG_LENS_DIR;
}

static int fail_augeas(struct augeas *augeas, struct sg_error *error)
{
	const char *details = augeas == NULL ? NULL : aug_error_details(augeas);
	const char *message =
		augeas == NULL ? "it cannot be started" : aug_error_message(augeas);

	if (augeas != NULL && aug_error(augeas) == AUG_NOERROR)
		message = "the lens did not take the text";
	return sg_fail(
		error, "internal",
		"Augeas failed: %s%s%s; is skewgate_ntp.aug installed in %s?", message,
		details != NULL ? ": " : "", details != NULL ? details : "",
		lens_directory());
}

struct augeas *sg_lines_open(struct sg_error *error)
{
	struct augeas *augeas = aug_init(
		NULL, lens_directory(),
		AUG_NO_STDINC | AUG_NO_LOAD | AUG_NO_MODL_AUTOLOAD | AUG_NO_ERR_CLOSE);

	if (augeas == NULL)
		fail_augeas(augeas, error);
	return augeas;
}

/* Characters that end a word for ntpd, and are words themselves; none of its
 * lines that matter here has one. */
#define SPECIAL "{}(),;|="

/* Whether ntpd takes the line's next word as it stands: names and paths are not
 * scanned (keyword-gen.c, both daemons). */
static bool is_next_verbatim(const struct sg_line *line)
{
	static const char *const scanned[] = {
		"tos",     "restrict",  "unrestrict", "enable",
		"disable", "interface", "nic",
	};

	for (size_t i = 0; i < sizeof scanned / sizeof *scanned; i++)
		if (sg_line_is(line, scanned[i]))
			return false;
	return line->word_count == 1 ||
	       (line->word_count == 2 && (strcmp(line->words[1], "-4") == 0 ||
	                                  strcmp(line->words[1], "-6") == 0));
}

/*
 * Adds a word as ntpd reads it, whose letters go to `to`: without its quotes,
 * but no keyword has any. Returns where the next one's go, or NULL when a
 * special character ends what ntpd takes of the line: what was complete before
 * it counts.
 */
static char *add_word(struct sg_line *line, char *to, const char *word)
{
	bool keyword = line->word_count == 0;
	bool verbatim = is_next_verbatim(line);
	bool quoted = false;
	char *start = to;

	for (; *word != '\0'; word++) {
		if (*word == '"')
			quoted = !quoted;
		else if (!quoted && !verbatim && strchr(SPECIAL, *word) != NULL)
			break;
		if (keyword || *word != '"')
			*to++ = *word;
	}
	*to++ = '\0';
	if (*word == '\0' || to > start + 1)
		line->words[line->word_count++] = start;
	return *word == '\0' ? to : NULL;
}

/* Fills in the words from the tree, which lists lines and their parts in the
 * text's order. */
static int read_words(struct augeas *augeas, struct sg_lines *lines,
                      struct sg_error *error)
{
	int total = aug_defvar(augeas, "parts", "/tree/descendant::*");
	const char *value = NULL;
	const char *label = NULL;
	struct sg_line *line = NULL;
	size_t started = 0;

	if (total < 0)
		return fail_augeas(augeas, error);
	char **word = lines->words;
	char *letter = lines->letters;
	char *next = letter;
	for (int i = 0; i < total; i++) {
		if (aug_ns_attr(augeas, "parts", i, &value, &label, NULL) < 0)
			return fail_augeas(augeas, error);
		if (value == NULL) {
			if (started == lines->count)
				return fail_augeas(augeas, error);
			word += line == NULL ? 0 : line->word_count;
			line = &lines->items[started++];
			line->words = word;
			letter = next;
		} else if (letter != NULL && line != NULL &&
		           (strcmp(label, "word") == 0 ||
		            strcmp(label, "unclosed") == 0)) {
			next = letter + strlen(value) + 1;
			letter = add_word(line, letter, value);
		}
	}
	return started == lines->count ? 0 : fail_augeas(augeas, error);
}

static void split_lines(const char *file, const char *text, size_t size,
                        size_t first_line, struct sg_lines *lines)
{
	const char *end = text + size;
	size_t dos = 0;

	for (const char *start = text; start < end;) {
		const char *newline = memchr(start, '\n', (size_t)(end - start));
		const char *next = newline == NULL ? end : newline + 1;

		if (newline > start && newline[-1] == '\r')
			dos++;
		lines->items[lines->count] = (struct sg_line){
			.file = file,
			.number = first_line + lines->count,
			.bytes = start,
			.size = (size_t)(next - start),
		};
		lines->count++;
		start = next;
	}
	lines->ends_in_newline = size == 0 || text[size - 1] == '\n';
	lines->dos = dos * 2 > lines->count;
}

int sg_lines_parse(struct augeas *augeas, const char *file, const char *text,
                   size_t size, size_t first_line, struct sg_lines *lines,
                   struct sg_error *error)
{
	size_t newlines = 1;

	*lines = (struct sg_lines){0};
	if (strlen(text) != size)
		return sg_fail(error, "config-not-text",
		               "%s is not text: it has a NUL byte at offset %zu; name "
		               "the right file",
		               file, strlen(text));
	for (size_t i = 0; i < size; i++)
		newlines += text[i] == '\n';

	/* The lens wants every line ended; a word takes at least one byte, and is
	 * followed by at least one. */
	lines->items = calloc(newlines, sizeof *lines->items);
	lines->words = calloc(size / 2 + 2, sizeof *lines->words);
	lines->letters = malloc(size + 2);
	sg_auto_free char *ended = malloc(size + 2);
	if (lines->items == NULL || lines->words == NULL ||
	    lines->letters == NULL || ended == NULL) {
		sg_lines_free(lines);
		return sg_fail_memory(error);
	}
	split_lines(file, text, size, first_line, lines);
	memcpy(ended, text, size + 1);
	if (!lines->ends_in_newline)
		memcpy(ended + size, "\n", 2);
	if (aug_set(augeas, "/text", ended) != 0 ||
	    aug_text_store(augeas, LENS, "/text", "/tree") != 0) {
		sg_lines_free(lines);
		return fail_augeas(augeas, error);
	}
	if (read_words(augeas, lines, error) != 0) {
		sg_lines_free(lines);
		return -1;
	}
	return 0;
}

bool sg_line_is(const struct sg_line *line, const char *keyword)
{
	return line->word_count > 0 && strcmp(line->words[0], keyword) == 0;
}

bool sg_line_sets_tos(const struct sg_line *line, const char *word,
                      double *value)
{
	bool found = false;

	for (size_t i = 1; sg_line_is(line, "tos") && i + 1 < line->word_count;
	     i++) {
		char *end = NULL;
		double number = strtod(line->words[i + 1], &end);

		if (strcmp(line->words[i], word) != 0 || end == line->words[i + 1] ||
		    *end != '\0')
			continue;
		*value = number;
		found = true;
	}
	return found;
}

size_t sg_line_source_at(const struct sg_line *line)
{
	size_t at = 1;

	/* What may follow this one is no name. */
	if (sg_line_is(line, "broadcastclient"))
		return 0;
	while (at < line->word_count && (strcmp(line->words[at], "-4") == 0 ||
	                                 strcmp(line->words[at], "-6") == 0))
		at++;
	return at < line->word_count ? at : 0;
}

const char *sg_line_source(const struct sg_line *line)
{
	return line->words[sg_line_source_at(line)];
}

void sg_lines_free(struct sg_lines *lines)
{
	free(lines->items);
	free(lines->words);
	free(lines->letters);
	*lines = (struct sg_lines){0};
}
