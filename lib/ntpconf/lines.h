/* SPDX-License-Identifier: MIT */
/* Inside ntpconf only: text as numbered lines of words, through Augeas. */
#ifndef SG_NTPCONF_LINES_H
#define SG_NTPCONF_LINES_H

#include "ntpconf.h"

#include <augeas.h>

/* An Augeas handle that its scope closes. */
#define sg_auto_augeas __attribute__((cleanup(sg_cleanup_augeas)))
void sg_cleanup_augeas(struct augeas **augeas);

/* Starts Augeas with no lens but ours, and no file but that lens; one handle
 * serves many texts. NULL: internal. */
struct augeas *sg_lines_open(struct sg_error *error);

/* One line. The bytes belong to the text that was read. */
struct sg_line {
	const char *file; /* its file's name, for messages */
	size_t number;    /* counted from 1 */
	const char *bytes;
	size_t size; /* with its newline, if it has one */
	size_t word_count;
	/* As ntpd takes them: without quotes, except in the first word, where they
	 * make it no keyword, and none from a special character on. */
	char **words;
};

struct sg_lines {
	struct sg_line *items;
	size_t count;
	char **words; /* all lines' words in a row */
	char *letters;
	bool ends_in_newline; /* an empty text counts as one that does */
	bool dos;             /* most lines end in CR LF */
};

/*
 * Splits `text` (`size` bytes and a NUL) into lines; the first one is numbered
 * `first_line`. Error: config-not-text, internal.
 */
int sg_lines_parse(struct augeas *augeas, const char *file, const char *text,
                   size_t size, size_t first_line, struct sg_lines *lines,
                   struct sg_error *error);

/* Whether the line's keyword is `keyword`. */
bool sg_line_is(const struct sg_line *line, const char *keyword);

/* Whether the line sets the option `word` of tos; `*value` stays when not. */
bool sg_line_sets_tos(const struct sg_line *line, const char *word,
                      double *value);

/* What a source line names, and which of its words that is; its keyword when it
 * names nothing. */
size_t sg_line_source_at(const struct sg_line *line);
const char *sg_line_source(const struct sg_line *line);

void sg_lines_free(struct sg_lines *lines);

/* ---- restrict.c --------------------------------------------------------- */

/* What a restrict line does to an address, as far as it matters here. */
#define SG_DROPS_REPLIES 1U /* ignore, noserve, notrust */
#define SG_DROPS_QUERIES 2U /* ignore, noquery */

/* The line that decides for an address. */
struct sg_restriction {
	const struct sg_line *line; /* NULL: no line matches */
	unsigned effects;
	bool own; /* it names this very address */
};

/* Finds the most specific of the restrict lines for `address`; a name is only
 * matched by the defaults. `restrict source` lines count for a server only. */
struct sg_restriction sg_restriction_for(const char *address, bool is_server,
                                         const struct sg_line *const *lines,
                                         size_t count);

#endif
