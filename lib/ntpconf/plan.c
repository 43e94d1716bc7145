/* SPDX-License-Identifier: MIT */
/*
 * The edit: one managed block, and nothing else.
 *
 * The block must make ntpd follow the servers whatever the rest of the text
 * says; where that cannot be, the plan fails and names the line. What the rest
 * says is read in ntpd's order, included files at their place.
 */
#include "survey.h"

#include <stdio.h>
#include <string.h>

#define DISABLED_MARK "#skewgate: "

/* ---- minsane ------------------------------------------------------------ */

/* The last line that sets minsane, of those that ntpd reads at or behind the
 * main file's line `position`, except the block's. Without one `*value` is both
 * daemons' default. */
static const struct sg_line *find_minsane(const struct sg_survey *survey,
                                          size_t position, double *value)
{
	const struct sg_line *found = NULL;

	*value = 1;
	for (size_t i = 0; i < survey->active_count; i++)
		if (survey->places[i] >= position &&
		    sg_line_sets_tos(survey->active[i], "minsane", value))
			found = survey->active[i];
	return found;
}

/* Judges what lines behind the block make of minsane; `before` is what it would
 * be without the block. */
static int judge_minsane(const struct sg_survey *survey,
                         const struct sg_ntpconf_request *request,
                         size_t position, struct sg_ntpconf_plan *plan,
                         struct sg_error *error)
{
	double before = 0;
	double now = 0;
	const struct sg_line *line = find_minsane(survey, 0, &before);
	const struct sg_line *raised = find_minsane(survey, position, &now);
	int failed = 0;

	if (now > (double)request->server_count)
		return sg_fail(error, "minsane-raised",
		               "%s:%zu: this line is read after skewgate's block and "
		               "raises minsane above %zu, so that ntpd would never "
		               "follow %zu server%s; remove minsane from it",
		               raised->file, raised->number, request->server_count,
		               request->server_count,
		               request->server_count > 1 ? "s" : "");
	if (now > 1) {
		failed = sg_warn(&plan->warnings, "minsane-raised",
		                 "%s:%zu: this line is read after skewgate's block and "
		                 "raises minsane to %g, so that ntpd follows nobody "
		                 "while fewer servers agree; remove minsane from it",
		                 raised->file, raised->number, now);
		failed |= sg_warn(&plan->hindrances, "tos-minsane",
		                  "%s:%zu: with this line ntpd follows nobody while "
		                  "fewer than %g servers agree; remove minsane from it",
		                  raised->file, raised->number, now);
	} else if (before > now) {
		failed = sg_warn(&plan->warnings, "quorum-lowered",
		                 "%s:%zu: this line asks for %g servers that agree "
		                 "(minsane); skewgate's block lowers that to %g, so "
		                 "that ntpd follows the last server that is left",
		                 line->file, line->number, before, now);
	}
	return failed == 0 ? 0 : sg_fail_memory(error);
}

/* ---- the block's place -------------------------------------------------- */

/* Behind the last of the main file's lines that the block must come after: in
 * front of other sources, ntpd would step to ours before it has heard them. */
static size_t position_behind(const struct sg_survey *survey)
{
	static const char *const keywords[] = {"server", "pool", "peer", "tos"};

	for (size_t i = survey->end; i > 0; i--)
		for (size_t k = 0; k < sizeof keywords / sizeof *keywords; k++)
			if (sg_line_is(&survey->main.items[i - 1], keywords[k]) &&
			    !survey->off[i - 1] && !sg_in_block(&survey->block, i - 1))
				return i;
	return survey->end;
}

/* Before the first source: ntpd starts them one second apart, in the order of
 * their lines. */
static size_t position_before(const struct sg_survey *survey)
{
	for (size_t i = 0; i < survey->active_count; i++)
		if (sg_is_source(survey->active[i]) &&
		    !sg_is_off(survey, survey->active[i]) &&
		    survey->places[i] < survey->end)
			return survey->places[i];
	return survey->end;
}

/* Before which of the main file's lines the block stands. It stays where it is,
 * as long as it works there, or would work no better elsewhere. */
static size_t find_position(const struct sg_survey *survey, bool has_tos)
{
	size_t here = survey->block.first;
	size_t there = has_tos ? position_behind(survey) : position_before(survey);
	double minsane_here = 0;
	double minsane_there = 0;

	if (here >= survey->end)
		return there;
	find_minsane(survey, here, &minsane_here);
	find_minsane(survey, there, &minsane_there);
	return minsane_here > 1 && minsane_there < minsane_here ? there : here;
}

/* ---- the block ---------------------------------------------------------- */

static int add_servers(struct sg_survey *survey,
                       const struct sg_ntpconf_request *request,
                       struct sg_ntpconf_plan *plan, struct sg_texts *body,
                       struct sg_error *error)
{
	for (size_t i = 0; i < request->server_count; i++) {
		const char *server = request->servers[i];
		bool kept = false;

		if (sg_judge_existing_lines(survey, server, request, plan, &kept,
		                            error) != 0)
			return -1;
		if (!kept && sg_texts_add(body, "server %s%s%s", server,
		                          request->server_options[0] != '\0' ? " " : "",
		                          request->server_options) != 0)
			return sg_fail_memory(error);
	}
	return 0;
}

/* Lets the servers' replies in, and ntpq's questions from this host. */
static int add_restrictions(const struct sg_survey *survey,
                            const struct sg_ntpconf_request *request,
                            struct sg_ntpconf_plan *plan, struct sg_texts *body,
                            struct sg_error *error)
{
	for (size_t i = 0; i < request->server_count; i++) {
		const char *server = request->servers[i];
		struct sg_restriction found = sg_restriction_for(
			server, true, survey->active, survey->active_count);

		if (!(found.effects & SG_DROPS_REPLIES))
			continue;
		if (found.own)
			return sg_fail(error, "own-restrict",
			               "%s:%zu: this line makes ntpd drop the replies of "
			               "%s; remove ignore, noserve and notrust from it",
			               found.line->file, found.line->number, server);
		if (sg_texts_add(body, "restrict %s nomodify noquery", server) != 0)
			return sg_fail_memory(error);
	}

	struct sg_restriction local = sg_restriction_for(
		"127.0.0.1", false, survey->active, survey->active_count);
	int failed = 0;
	if (local.own && (local.effects & SG_DROPS_QUERIES))
		failed = sg_warn(&plan->warnings, "localhost-noquery",
		                 "%s:%zu: this line keeps ntpq on this host from "
		                 "asking ntpd, so that nobody can tell whether it is "
		                 "synchronised; remove ignore and noquery from it",
		                 local.line->file, local.line->number);
	else if (local.effects & SG_DROPS_QUERIES)
		failed = sg_texts_add(body, "restrict 127.0.0.1");
	return failed == 0 ? 0 : sg_fail_memory(error);
}

/* The block's lines as text; "" for none. */
static char *format_block(const struct sg_texts *body, bool dos)
{
	const char *ending = dos ? "\r\n" : "\n";
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	if (body->count > 0)
		fprintf(out, "%s%s", SG_BEGIN_MARK, ending);
	for (size_t i = 0; i < body->count; i++)
		fprintf(out, "%s%s", body->items[i], ending);
	if (body->count > 0)
		fprintf(out, "%s%s", SG_END_MARK, ending);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* Whether the block that is there, where ntpd reads it, sets minsane. */
static bool block_sets_minsane(const struct sg_survey *survey)
{
	double ignored = 0;

	for (size_t i = survey->block.first;
	     i < survey->end && sg_in_block(&survey->block, i); i++)
		if (sg_line_sets_tos(&survey->main.items[i], "minsane", &ignored))
			return true;
	return false;
}

/* Makes the block's lines and finds its place. */
static int compose_block(struct sg_survey *survey,
                         const struct sg_ntpconf_request *request,
                         struct sg_ntpconf_plan *plan, size_t *position,
                         struct sg_error *error)
{
	struct sg_texts body = {0};
	double minsane = 0;

	int failed = add_servers(survey, request, plan, &body, error);
	find_minsane(survey, 0, &minsane);
	if (failed == 0 && minsane > 1 && sg_texts_add(&body, "tos minsane 1") != 0)
		failed = sg_fail_memory(error);
	plan->lowers_minsane = minsane > 1 && !block_sets_minsane(survey);
	*position = find_position(survey, minsane > 1);
	if (failed == 0)
		failed = judge_minsane(survey, request, *position, plan, error);
	if (failed == 0)
		failed = add_restrictions(survey, request, plan, &body, error);
	if (failed == 0) {
		plan->block = format_block(&body, survey->main.dos);
		failed = plan->block != NULL ? 0 : sg_fail_memory(error);
	}
	sg_texts_free(&body);
	return failed;
}

/* ---- the text ----------------------------------------------------------- */

/* Writes a line, and its end where the file's last one has none. */
static void write_line(FILE *out, const char *bytes, size_t size)
{
	fwrite(bytes, 1, size, out);
	if (size == 0 || bytes[size - 1] != '\n')
		fputc('\n', out);
}

/*
 * Closes the text. A file whose last line had no newline keeps that habit, also
 * with the block at its end: so the undoing finds the bytes that were there.
 */
static int finish_text(FILE *out, const struct sg_lines *main, const char *text,
                       size_t size, struct sg_ntpconf_plan *plan,
                       struct sg_error *error)
{
	if (fclose(out) != 0)
		return sg_fail_memory(error);
	if (!main->ends_in_newline && plan->size > 0)
		plan->text[--plan->size] = '\0';
	plan->changed = plan->size != size || memcmp(plan->text, text, size) != 0;
	return 0;
}

/* Notes a line that changes its state, without its line ending. */
static int note_line(struct sg_texts *texts, const char *bytes, size_t size)
{
	while (size > 0 && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r'))
		size--;
	return sg_texts_add(texts, "%.*s", (int)size, bytes);
}

/* Marks what --exclusive turns off. */
static void turn_off_others(struct sg_survey *survey,
                            const struct sg_ntpconf_request *request)
{
	for (size_t i = 0; request->exclusive && i < survey->end; i++)
		if (!sg_survives_exclusive(&survey->main.items[i], request))
			survey->off[i] = true;
}

static int write_text(const struct sg_survey *survey, size_t position,
                      FILE *out, struct sg_ntpconf_plan *plan)
{
	for (size_t i = 0; i <= survey->main.count; i++) {
		if (i == position)
			fputs(plan->block, out);
		if (i == survey->main.count)
			break;
		const struct sg_line *line = &survey->main.items[i];
		if (sg_in_block(&survey->block, i))
			continue;
		if (survey->off[i]) {
			fputs(DISABLED_MARK, out);
			if (note_line(&plan->disabled, line->bytes, line->size) != 0)
				return -1;
		}
		write_line(out, line->bytes, line->size);
	}
	return 0;
}

int sg_ntpconf_plan(const char *name, const char *text, size_t size,
                    const struct sg_ntpconf_request *request,
                    struct sg_ntpconf_plan *plan, struct sg_error *error)
{
	sg_auto_survey struct sg_survey survey = {0};
	size_t position = 0;

	if (sg_survey_make(name, text, size, request, &survey, error) != 0)
		return -1;
	turn_off_others(&survey, request);
	if (compose_block(&survey, request, plan, &position, error) != 0)
		return -1;
	if (sg_judge_sources(&survey, request, plan) != 0 ||
	    sg_judge_hindrances(&survey, request, plan) != 0)
		return sg_fail_memory(error);
	FILE *out = open_memstream(&plan->text, &plan->size);
	if (out == NULL)
		return sg_fail_memory(error);
	if (write_text(&survey, position, out, plan) != 0) {
		fclose(out);
		return sg_fail_memory(error);
	}
	return finish_text(out, &survey.main, text, size, plan, error);
}

/* ---- the undoing -------------------------------------------------------- */

int sg_ntpconf_plan_revert(const char *name, const char *text, size_t size,
                           struct sg_ntpconf_plan *plan, struct sg_error *error)
{
	struct sg_ntpconf_request nothing = {0};
	sg_auto_survey struct sg_survey survey = {0};
	const size_t mark = strlen(DISABLED_MARK);
	int failed = 0;

	if (sg_survey_make(name, text, size, &nothing, &survey, error) != 0)
		return -1;
	plan->block = strdup("");
	FILE *out = open_memstream(&plan->text, &plan->size);
	if (out == NULL)
		return sg_fail_memory(error);
	for (size_t i = 0; i < survey.main.count; i++) {
		const struct sg_line *line = &survey.main.items[i];
		bool disabled = sg_line_starts_with(line, DISABLED_MARK);

		if (sg_in_block(&survey.block, i))
			continue;
		if (disabled)
			failed |= note_line(&plan->disabled, line->bytes + mark,
			                    line->size - mark);
		write_line(out, line->bytes + (disabled ? mark : 0),
		           line->size - (disabled ? mark : 0));
	}
	if (finish_text(out, &survey.main, text, size, plan, error) != 0)
		return -1;
	return failed == 0 && plan->block != NULL ? 0 : sg_fail_memory(error);
}

void sg_ntpconf_plan_free(struct sg_ntpconf_plan *plan)
{
	free(plan->text);
	free(plan->block);
	sg_texts_free(&plan->disabled);
	sg_warnings_free(&plan->warnings);
	sg_warnings_free(&plan->hindrances);
	*plan = (struct sg_ntpconf_plan){0};
}
