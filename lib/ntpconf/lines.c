/*
 * Text as numbered lines of words, through Augeas and our own lens.
 *
 * Only reading goes through the whole tree. Unchanged lines are carried over as
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

/* ntpd takes the text between quotes, but never takes it for a keyword. */
static char *copy_word(char *to, const char *word, bool first)
{
	for (; *word != '\0'; word++)
		if (first || *word != '"')
			*to++ = *word;
	*to++ = '\0';
	return to;
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
	for (int i = 0; i < total; i++) {
		if (aug_ns_attr(augeas, "parts", i, &value, &label, NULL) < 0)
			return fail_augeas(augeas, error);
		if (value == NULL) {
			if (started == lines->count)
				return fail_augeas(augeas, error);
			line = &lines->items[started++];
			line->words = word;
		} else if (line != NULL && (strcmp(label, "word") == 0 ||
		                            strcmp(label, "unclosed") == 0)) {
			*word++ = letter;
			letter = copy_word(letter, value, line->word_count == 0);
			line->word_count++;
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

/* Adds one line to the tree: a comment, or words. */
static int add_line(struct augeas *augeas, size_t number, const char *text,
                    bool dos)
{
	sg_auto_free char *copy = strdup(text);
	char path[64];
	char *rest = NULL;

	if (copy == NULL)
		return -1;
	if (text[0] == '#') {
		snprintf(path, sizeof path, "/block/%zu/comment", number);
		if (aug_set(augeas, path, text) != 0)
			return -1;
	} else {
		snprintf(path, sizeof path, "/block/%zu/word[last()+1]", number);
		for (char *word = strtok_r(copy, " ", &rest); word != NULL;
		     word = strtok_r(NULL, " ", &rest))
			if (aug_set(augeas, path, word) != 0)
				return -1;
	}
	snprintf(path, sizeof path, "/block/%zu/cr", number);
	return dos ? aug_set(augeas, path, "\r") : 0;
}

char *sg_lines_format(struct augeas *augeas, const struct sg_texts *texts,
                      bool dos, struct sg_error *error)
{
	const char *value = NULL;

	for (size_t i = 0; i < texts->count; i++) {
		if (add_line(augeas, i + 1, texts->items[i], dos) != 0) {
			fail_augeas(augeas, error);
			return NULL;
		}
	}
	if (aug_set(augeas, "/before", "") != 0 ||
	    aug_text_retrieve(augeas, LENS, "/before", "/block", "/after") != 0 ||
	    aug_get(augeas, "/after", &value) != 1 || value == NULL) {
		fail_augeas(augeas, error);
		return NULL;
	}
	char *formatted = strdup(value);
	if (formatted == NULL)
		sg_fail_memory(error);
	return formatted;
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

const char *sg_line_source(const struct sg_line *line)
{
	size_t at = 1;

	while (at < line->word_count && (strcmp(line->words[at], "-4") == 0 ||
	                                 strcmp(line->words[at], "-6") == 0))
		at++;
	return line->words[at < line->word_count ? at : 0];
}

void sg_lines_free(struct sg_lines *lines)
{
	free(lines->items);
	free(lines->words);
	free(lines->letters);
	*lines = (struct sg_lines){0};
}
