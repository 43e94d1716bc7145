/* SPDX-License-Identifier: MIT */
/*
 * What ntpd reads, in its order: the main file up to a line `end`, included
 * files in the place of their line, those of ntp.d in any case; and which lines
 * of it are the managed block.
 */
#include "survey.h"

#include <string.h>

void sg_survey_free(struct sg_survey *survey)
{
	for (size_t i = 0; i < survey->included_count; i++)
		sg_lines_free(&survey->included[i]);
	free(survey->included);
	free(survey->active);
	free(survey->places);
	free(survey->off);
	sg_lines_free(&survey->main);
	sg_cleanup_augeas(&survey->augeas);
}

bool sg_line_starts_with(const struct sg_line *line, const char *prefix)
{
	size_t length = strlen(prefix);

	return line->size >= length && memcmp(line->bytes, prefix, length) == 0;
}

/* A line of the block that this program can have written. */
static bool is_block_line(const struct sg_line *line)
{
	return (sg_line_is(line, "server") || sg_line_is(line, "tos") ||
	        sg_line_is(line, "restrict")) &&
	       memchr(line->bytes, '#', line->size) == NULL;
}

static int find_block(const struct sg_lines *lines, struct sg_block *block,
                      struct sg_error *error)
{
	*block = (struct sg_block){SG_NOWHERE, SG_NOWHERE};
	for (size_t i = 0; i < lines->count; i++) {
		const struct sg_line *line = &lines->items[i];
		bool inside = block->first != SG_NOWHERE && block->last == SG_NOWHERE;

		if (sg_line_starts_with(line, SG_NTPCONF_MARK)) {
			if (block->first != SG_NOWHERE)
				return sg_fail(error, "block-doubled",
				               "%s:%zu: a second block of skewgate begins "
				               "here; remove one of the two",
				               line->file, line->number);
			block->first = i;
		} else if (sg_line_starts_with(line, SG_END_MARK)) {
			if (!inside)
				return sg_fail(error, "block-damaged",
				               "%s:%zu: skewgate's block ends here but does "
				               "not begin; remove what is left of it",
				               line->file, line->number);
			block->last = i;
		} else if (inside && !is_block_line(line)) {
			return sg_fail(
				error, "block-damaged",
				"%s:%zu: this line stands inside skewgate's block but is not "
				"skewgate's; move it out, or restore the line \"%s\"",
				line->file, line->number, SG_END_MARK);
		}
	}
	if (block->first != SG_NOWHERE && block->last == SG_NOWHERE)
		return sg_fail(error, "block-damaged",
		               "%s:%zu: skewgate's block begins here but does not end; "
		               "remove what is left of it",
		               lines->items[block->first].file,
		               lines->items[block->first].number);
	return 0;
}

bool sg_in_block(const struct sg_block *block, size_t index)
{
	return block->first != SG_NOWHERE && index >= block->first &&
	       index <= block->last;
}

static void activate(struct sg_survey *survey, const struct sg_line *line,
                     size_t place)
{
	if (line->word_count == 0)
		return;
	survey->active[survey->active_count] = line;
	survey->places[survey->active_count++] = place;
}

/* Adds a file's lines; false when an `end` among them ends the reading. */
static bool activate_all(struct sg_survey *survey, const struct sg_lines *lines,
                         size_t place)
{
	for (size_t i = 0; i < lines->count; i++) {
		if (sg_line_is(&lines->items[i], "end"))
			return false;
		activate(survey, &lines->items[i], place);
	}
	return true;
}

/* Lays out what the main file brings in, up to an `end` there or in a file that
 * it includes: that ends both. Returns the number of pieces that are used up.
 */
static size_t order_main(struct sg_survey *survey,
                         const struct sg_ntpconf_request *request)
{
	size_t next = 0;

	for (size_t i = 0; i < survey->end; i++) {
		const struct sg_line *line = &survey->main.items[i];

		if (!sg_in_block(&survey->block, i))
			activate(survey, line, i);
		while (next < survey->included_count &&
		       request->included[next].main_line == line->number)
			if (!activate_all(survey, &survey->included[next++], i)) {
				survey->end = i;
				return next;
			}
	}
	return next;
}

/* Lays out what ntpd reads, included files in the place of their line. */
static int order_lines(struct sg_survey *survey,
                       const struct sg_ntpconf_request *request,
                       struct sg_error *error)
{
	size_t total = survey->main.count + 1;

	for (size_t i = 0; i < survey->included_count; i++)
		total += survey->included[i].count;
	survey->active = calloc(total, sizeof(void *));
	survey->places = calloc(total, sizeof *survey->places);
	survey->off = calloc(survey->main.count + 1, sizeof *survey->off);
	if (survey->active == NULL || survey->places == NULL || survey->off == NULL)
		return sg_fail_memory(error);

	/* ntpd reads the files of ntp.d each by itself, whatever `end` was read
	 * before. */
	for (size_t next = order_main(survey, request);
	     next < survey->included_count; next++)
		if (request->included[next].main_line == SG_AFTER_MAIN)
			activate_all(survey, &survey->included[next], SG_NOWHERE);
	return 0;
}

int sg_survey_make(const char *name, const char *text, size_t size,
                   const struct sg_ntpconf_request *request,
                   struct sg_survey *survey, struct sg_error *error)
{
	survey->augeas = sg_lines_open(error);
	if (survey->augeas == NULL ||
	    sg_lines_parse(survey->augeas, name, text, size, 1, &survey->main,
	                   error) != 0 ||
	    find_block(&survey->main, &survey->block, error) != 0)
		return -1;
	survey->included =
		calloc(request->included_count + 1, sizeof *survey->included);
	if (survey->included == NULL)
		return sg_fail_memory(error);
	for (; survey->included_count < request->included_count;
	     survey->included_count++) {
		const struct sg_ntpconf_included *piece =
			&request->included[survey->included_count];

		if (sg_lines_parse(survey->augeas, piece->path, piece->text,
		                   strlen(piece->text), piece->first_line,
		                   &survey->included[survey->included_count],
		                   error) != 0)
			return -1;
	}
	survey->end = 0;
	while (survey->end < survey->main.count &&
	       !sg_line_is(&survey->main.items[survey->end], "end"))
		survey->end++;
	return order_lines(survey, request, error);
}

bool sg_is_in_main(const struct sg_survey *survey, const struct sg_line *line)
{
	return line >= survey->main.items &&
	       line < survey->main.items + survey->main.count;
}

void sg_turn_off(struct sg_survey *survey, const struct sg_line *line)
{
	survey->off[line - survey->main.items] = true;
}

bool sg_is_off(const struct sg_survey *survey, const struct sg_line *line)
{
	return sg_is_in_main(survey, line) &&
	       survey->off[line - survey->main.items];
}
