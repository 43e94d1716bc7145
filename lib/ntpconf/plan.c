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

/* minsane as everything but the block sets it. */
static double minsane(const struct sg_survey *survey)
{
	double value = 1; /* both daemons' default */

	for (size_t i = 0; i < survey->active_count; i++)
		sg_line_sets_tos(survey->active[i], "minsane", &value);
	return value;
}

/* The line that raises minsane above `limit` again behind a block which stands
 * before the main file's line `position`. */
static const struct sg_line *raiser(const struct sg_survey *survey,
                                    size_t position, double limit)
{
	const struct sg_line *found = NULL;

	for (size_t i = 0; i < survey->active_count; i++) {
		double value = 0;

		if (survey->places[i] >= position &&
		    sg_line_sets_tos(survey->active[i], "minsane", &value))
			found = value > limit ? survey->active[i] : NULL;
	}
	return found;
}

/* ---- the block ---------------------------------------------------------- */

/* Before which of the main file's lines a new block belongs. */
static size_t new_position(const struct sg_survey *survey)
{
	static const char *const keywords[] = {"server", "pool", "peer", "tos"};

	for (size_t i = survey->end; i > 0; i--)
		for (size_t k = 0; k < sizeof keywords / sizeof *keywords; k++)
			if (sg_line_is(&survey->main.items[i - 1], keywords[k]) &&
			    !sg_in_block(&survey->block, i - 1))
				return i;
	return survey->end;
}

static int add_servers(const struct sg_survey *survey,
                       const struct sg_ntpconf_request *request,
                       struct sg_ntpconf_plan *plan, struct sg_texts *body,
                       struct sg_error *error)
{
	for (size_t i = 0; i < request->server_count; i++) {
		const struct sg_line *own = sg_own_line(survey, request->servers[i]);

		if (own != NULL) {
			if (sg_judge_own_line(own, request, plan, error) != 0)
				return -1;
		} else if (sg_texts_add(body, "server %s %s", request->servers[i],
		                        request->server_options) != 0) {
			return sg_fail_memory(error);
		}
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
	else if (local.line == NULL || (local.effects & SG_DROPS_QUERIES))
		failed = sg_texts_add(body, "restrict 127.0.0.1");
	return failed == 0 ? 0 : sg_fail_memory(error);
}

/* Makes the block's lines and finds its place. */
static int compose_block(const struct sg_survey *survey,
                         const struct sg_ntpconf_request *request,
                         struct sg_ntpconf_plan *plan, size_t *position,
                         struct sg_error *error)
{
	double limit = (double)request->server_count;
	struct sg_texts body = {0};
	int failed = 0;

	/* A block stays where it is, as long as it works there. */
	*position = survey->block.first;
	if (*position >= survey->end || raiser(survey, *position, limit) != NULL)
		*position = new_position(survey);
	const struct sg_line *raised = raiser(survey, *position, limit);
	if (raised != NULL)
		return sg_fail(error, "minsane-raised",
		               "%s:%zu: this line is read after skewgate's block and "
		               "raises minsane above %zu, so that ntpd would never "
		               "follow %zu server%s; remove minsane from it",
		               raised->file, raised->number, request->server_count,
		               request->server_count,
		               request->server_count > 1 ? "s" : "");

	failed = add_servers(survey, request, plan, &body, error);
	if (failed == 0 && minsane(survey) > limit &&
	    sg_texts_add(&body, "tos minsane %zu", request->server_count) != 0)
		failed = sg_fail_memory(error);
	if (failed == 0)
		failed = add_restrictions(survey, request, plan, &body, error);

	struct sg_texts block = {0};
	if (failed == 0 && body.count > 0) {
		failed = sg_texts_add(&block, "%s", SG_BEGIN_MARK);
		for (size_t i = 0; failed == 0 && i < body.count; i++)
			failed = sg_texts_add(&block, "%s", body.items[i]);
		if (failed != 0 || sg_texts_add(&block, "%s", SG_END_MARK) != 0)
			failed = sg_fail_memory(error);
	}
	if (failed == 0) {
		plan->block =
			sg_lines_format(survey->augeas, &block, survey->main.dos, error);
		failed = plan->block == NULL ? -1 : 0;
	}
	sg_texts_free(&block);
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

static int write_text(const struct sg_survey *survey,
                      const struct sg_ntpconf_request *request, size_t position,
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
		if (request->exclusive && i < survey->end &&
		    !sg_survives_exclusive(line, request)) {
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

	if (sg_survey_make(name, text, size, request, &survey, error) != 0 ||
	    compose_block(&survey, request, plan, &position, error) != 0)
		return -1;
	if (sg_judge_sources(&survey, request, plan) != 0 ||
	    sg_judge_hindrances(&survey, request, plan) != 0)
		return sg_fail_memory(error);
	FILE *out = open_memstream(&plan->text, &plan->size);
	if (out == NULL)
		return sg_fail_memory(error);
	if (write_text(&survey, request, position, out, plan) != 0) {
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
