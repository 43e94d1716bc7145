/*
 * The edit: one managed block, and nothing else.
 *
 * The block must make ntpd follow the servers whatever the rest of the text
 * says; where that cannot be, the plan fails and names the line. What the rest
 * says is read in ntpd's order, included files at their place.
 */
#include "lines.h"

#include <stdio.h>
#include <string.h>

#define BEGIN_MARK "# BEGIN skewgate: Amazon Time Sync Service"
#define END_MARK "# END skewgate"
#define BEGIN_PREFIX "# BEGIN skewgate"
#define DISABLED_MARK "#skewgate: "

#define NOWHERE SIZE_MAX

/* The lines first..last of the managed block; both NOWHERE without one. */
struct block {
	size_t first;
	size_t last;
};

/* Everything that the plan looks at. */
struct survey {
	struct augeas *augeas;
	struct sg_lines main;
	struct sg_lines *included;
	size_t included_count;
	struct block block;
	size_t end; /* lines from here on are not read: an `end` line */
	/* All lines that ntpd reads but the block's, in its order, and the index
	 * of the main file's line by which each is read. */
	const struct sg_line **active;
	size_t *places;
	size_t active_count;
};

static void free_survey(struct survey *survey)
{
	for (size_t i = 0; i < survey->included_count; i++)
		sg_lines_free(&survey->included[i]);
	free(survey->included);
	free(survey->active);
	free(survey->places);
	sg_lines_free(&survey->main);
	sg_cleanup_augeas(&survey->augeas);
}

#define auto_survey __attribute__((cleanup(free_survey)))

static bool starts_with(const struct sg_line *line, const char *prefix)
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

static int find_block(const struct sg_lines *lines, struct block *block,
                      struct sg_error *error)
{
	*block = (struct block){NOWHERE, NOWHERE};
	for (size_t i = 0; i < lines->count; i++) {
		const struct sg_line *line = &lines->items[i];
		bool inside = block->first != NOWHERE && block->last == NOWHERE;

		if (starts_with(line, BEGIN_PREFIX)) {
			if (block->first != NOWHERE)
				return sg_fail(
					error, "block-doubled",
					"%s:%zu: a second block of skewgate begins here; remove "
					"one of the two",
					line->file, line->number);
			block->first = i;
		} else if (starts_with(line, END_MARK)) {
			if (!inside)
				return sg_fail(
					error, "block-damaged",
					"%s:%zu: skewgate's block ends here but does not begin; "
					"remove what is left of it",
					line->file, line->number);
			block->last = i;
		} else if (inside && !is_block_line(line)) {
			return sg_fail(
				error, "block-damaged",
				"%s:%zu: this line stands inside skewgate's block but is "
				"not skewgate's; move it out, or restore the line \"%s\"",
				line->file, line->number, END_MARK);
		}
	}
	if (block->first != NOWHERE && block->last == NOWHERE)
		return sg_fail(error, "block-damaged",
		               "%s:%zu: skewgate's block begins here but does not end; "
		               "remove what is left of it",
		               lines->items[block->first].file,
		               lines->items[block->first].number);
	return 0;
}

static bool in_block(const struct block *block, size_t index)
{
	return block->first != NOWHERE && index >= block->first &&
	       index <= block->last;
}

static void activate(struct survey *survey, const struct sg_line *line,
                     size_t place)
{
	if (line->word_count == 0)
		return;
	survey->active[survey->active_count] = line;
	survey->places[survey->active_count++] = place;
}

static void activate_all(struct survey *survey, const struct sg_lines *lines,
                         size_t place)
{
	for (size_t i = 0; i < lines->count; i++)
		activate(survey, &lines->items[i], place);
}

/* Lays out what ntpd reads, included files in the place of their line. */
static int order_lines(struct survey *survey,
                       const struct sg_ntpconf_request *request,
                       struct sg_error *error)
{
	size_t total = survey->main.count + 1;

	for (size_t i = 0; i < survey->included_count; i++)
		total += survey->included[i].count;
	survey->active = calloc(total, sizeof(void *));
	survey->places = calloc(total, sizeof *survey->places);
	if (survey->active == NULL || survey->places == NULL)
		return sg_fail_memory(error);

	size_t next = 0;
	for (size_t i = 0; i < survey->end; i++) {
		const struct sg_line *line = &survey->main.items[i];

		if (!in_block(&survey->block, i))
			activate(survey, line, i);
		while (request->included != NULL && next < survey->included_count &&
		       request->included[next].main_line == line->number)
			activate_all(survey, &survey->included[next++], i);
	}
	if (survey->end < survey->main.count)
		return 0; /* `end` ends the reading of further files too */
	for (; next < survey->included_count; next++)
		activate_all(survey, &survey->included[next], NOWHERE);
	return 0;
}

static int make_survey(const char *name, const char *text, size_t size,
                       const struct sg_ntpconf_request *request,
                       struct survey *survey, struct sg_error *error)
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

static bool is_in_main(const struct survey *survey, const struct sg_line *line)
{
	return line >= survey->main.items &&
	       line < survey->main.items + survey->main.count;
}

/* ---- sources ------------------------------------------------------------ */

static bool is_source(const struct sg_line *line)
{
	static const char *const keywords[] = {
		"server",
		"pool",
		"peer",
		"manycastclient",
		"broadcastclient",
		"multicastclient",
		"refclock",
	};

	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
		if (sg_line_is(line, keywords[i]))
			return true;
	return false;
}

static bool is_reference_clock(const struct sg_line *line)
{
	return sg_line_is(line, "refclock") ||
	       (sg_line_is(line, "server") &&
	        strncmp(sg_line_source(line), "127.127.", 8) == 0);
}

static bool is_amazon(const char *name)
{
	return sg_ntpconf_same_server(name, SG_AMAZON_IPV4) ||
	       sg_ntpconf_same_server(name, SG_AMAZON_IPV6) ||
	       sg_ntpconf_same_server(name, "time.aws.com");
}

static bool is_requested(const struct sg_ntpconf_request *request,
                         const char *name)
{
	for (size_t i = 0; i < request->server_count; i++)
		if (sg_ntpconf_same_server(name, request->servers[i]))
			return true;
	return false;
}

/* The administrator's own line for a server; of two, ntpd takes the first. */
static const struct sg_line *own_line(const struct survey *survey,
                                      const char *server)
{
	for (size_t i = 0; i < survey->active_count; i++)
		if (sg_line_is(survey->active[i], "server") &&
		    sg_ntpconf_same_server(sg_line_source(survey->active[i]), server))
			return survey->active[i];
	return NULL;
}

/* Whether the line stays as it is under --exclusive. */
static bool survives_exclusive(const struct sg_line *line,
                               const struct sg_ntpconf_request *request)
{
	if (!is_source(line))
		return !sg_line_is(line, "leapfile");
	return is_reference_clock(line) ||
	       (sg_line_is(line, "server") &&
	        is_requested(request, sg_line_source(line)));
}

/* Whether the line has the option, with that number if it takes one. */
static bool has_option(const struct sg_line *line, const char *word,
                       const char *number)
{
	for (size_t i = 2; i < line->word_count; i++)
		if (strcmp(line->words[i], word) == 0)
			return number == NULL || (i + 1 < line->word_count &&
			                          strcmp(line->words[i + 1], number) == 0);
	return false;
}

/* Lists the options that the administrator's own line lacks. */
static char *missing_options(const struct sg_line *line, const char *options)
{
	sg_auto_free char *copy = strdup(options);
	char *missing = NULL;
	size_t size = 0;
	char *rest = NULL;
	FILE *out = copy == NULL ? NULL : open_memstream(&missing, &size);

	if (out == NULL)
		return NULL;
	char *word = strtok_r(copy, " ", &rest);
	while (word != NULL) {
		char *next = strtok_r(NULL, " ", &rest);
		bool numbered = next != NULL && next[0] >= '0' && next[0] <= '9';

		if (!has_option(line, word, numbered ? next : NULL))
			fprintf(out, " %s%s%s", word, numbered ? " " : "",
			        numbered ? next : "");
		word = numbered ? strtok_r(NULL, " ", &rest) : next;
	}
	return fclose(out) == 0 ? missing : NULL;
}

static int judge_own_line(const struct sg_line *line,
                          const struct sg_ntpconf_request *request,
                          struct sg_ntpconf_plan *plan, struct sg_error *error)
{
	if (has_option(line, "noselect", NULL))
		return sg_fail(
			error, "own-line-noselect",
			"%s:%zu: this line for %s carries noselect, so ntpd would "
			"never follow it; remove that word, or the line",
			line->file, line->number, sg_line_source(line));
	sg_auto_free char *missing = missing_options(line, request->server_options);
	if (missing == NULL)
		return sg_fail_memory(error);
	if (missing[0] == '\0')
		return 0;
	return sg_warn(
			   &plan->warnings, "own-line-options",
			   "%s:%zu: your own line for %s is kept, but lacks%s; add it, or "
			   "remove the line and run skewgate setup again",
			   line->file, line->number, sg_line_source(line), missing) == 0
	           ? 0
	           : sg_fail_memory(error);
}

/* Names the first few lines that `wanted` picks; NULL when it picks none. */
static char *name_lines(const struct survey *survey,
                        const struct sg_ntpconf_request *request,
                        bool (*wanted)(const struct survey *,
                                       const struct sg_line *,
                                       const struct sg_ntpconf_request *))
{
	enum { NAMED = 4 };
	char *names = NULL;
	size_t size = 0;
	size_t found = 0;
	FILE *out = open_memstream(&names, &size);

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < survey->active_count; i++) {
		const struct sg_line *line = survey->active[i];

		if (!wanted(survey, line, request))
			continue;
		if (found++ < NAMED)
			fprintf(out, "%s%s (%s:%zu)", found > 1 ? ", " : "",
			        sg_line_source(line), line->file, line->number);
	}
	if (found > NAMED)
		fprintf(out, " and %zu more", found - NAMED);
	if (fclose(out) != 0 || found == 0) {
		free(names);
		return NULL;
	}
	return names;
}

static bool mixes(const struct survey *survey, const struct sg_line *line,
                  const struct sg_ntpconf_request *request)
{
	(void)survey;
	return is_source(line) && !is_requested(request, sg_line_source(line)) &&
	       !is_amazon(sg_line_source(line));
}

static bool is_included_source(const struct survey *survey,
                               const struct sg_line *line,
                               const struct sg_ntpconf_request *request)
{
	return !is_in_main(survey, line) && !survives_exclusive(line, request);
}

static bool is_remaining_clock(const struct survey *survey,
                               const struct sg_line *line,
                               const struct sg_ntpconf_request *request)
{
	(void)survey;
	(void)request;
	return is_source(line) && is_reference_clock(line);
}

static bool is_named(const struct survey *survey,
                     const struct sg_ntpconf_request *request,
                     const char *server)
{
	return is_requested(request, server) || own_line(survey, server) != NULL;
}

/* Warnings about which sources ntpd will have side by side. */
static int judge_sources(const struct survey *survey,
                         const struct sg_ntpconf_request *request,
                         struct sg_ntpconf_plan *plan)
{
	bool amazon = false;
	int failed = 0;

	for (size_t i = 0; i < request->server_count; i++)
		amazon = amazon || is_amazon(request->servers[i]);
	sg_auto_free char *mixed = name_lines(survey, request, mixes);
	sg_auto_free char *included =
		name_lines(survey, request, is_included_source);
	sg_auto_free char *clocks = name_lines(survey, request, is_remaining_clock);

	if (amazon && mixed != NULL && !request->exclusive)
		failed |=
			sg_warn(&plan->warnings, "smear-mixing",
		            "Amazon's time smears leap seconds, these sources do not: "
		            "%s; run skewgate setup --exclusive to disable them",
		            mixed);
	if (request->exclusive && included != NULL)
		failed |=
			sg_warn(&plan->warnings, "included-sources",
		            "--exclusive does not edit included files; disable these "
		            "lines there: %s",
		            included);
	if (request->exclusive && clocks != NULL)
		failed |= sg_warn(
			&plan->warnings, "reference-clock",
			"a reference clock was left in place: %s; remove it if this "
			"host has no such device",
			clocks);
	if (is_named(survey, request, SG_AMAZON_IPV4) &&
	    is_named(survey, request, SG_AMAZON_IPV6))
		failed |=
			sg_warn(&plan->warnings, "both-endpoints",
		            "%s and %s are the same clock, which would outvote others; "
		            "keep one of them",
		            SG_AMAZON_IPV4, SG_AMAZON_IPV6);
	return failed;
}

/* ---- minsane ------------------------------------------------------------ */

/* minsane as a tos line sets it; `value` stays when it does not. Returns
 * whether it does. */
static bool sets_minsane(const struct sg_line *line, double *value)
{
	bool found = false;

	for (size_t i = 1; sg_line_is(line, "tos") && i + 1 < line->word_count;
	     i++) {
		char *end = NULL;
		double number = strtod(line->words[i + 1], &end);

		if (strcmp(line->words[i], "minsane") != 0 ||
		    end == line->words[i + 1] || *end != '\0')
			continue;
		*value = number;
		found = true;
	}
	return found;
}

/* minsane as everything but the block sets it. */
static double minsane(const struct survey *survey)
{
	double value = 1; /* both daemons' default */

	for (size_t i = 0; i < survey->active_count; i++)
		sets_minsane(survey->active[i], &value);
	return value;
}

/* The line that raises minsane above `limit` again behind a block which stands
 * before the main file's line `position`. */
static const struct sg_line *raiser(const struct survey *survey,
                                    size_t position, double limit)
{
	const struct sg_line *found = NULL;

	for (size_t i = 0; i < survey->active_count; i++) {
		double value = 0;

		if (survey->places[i] >= position &&
		    sets_minsane(survey->active[i], &value))
			found = value > limit ? survey->active[i] : NULL;
	}
	return found;
}

/* ---- the block ---------------------------------------------------------- */

/* Before which of the main file's lines a new block belongs. */
static size_t new_position(const struct survey *survey)
{
	static const char *const keywords[] = {"server", "pool", "peer", "tos"};

	for (size_t i = survey->end; i > 0; i--)
		for (size_t k = 0; k < sizeof keywords / sizeof *keywords; k++)
			if (sg_line_is(&survey->main.items[i - 1], keywords[k]) &&
			    !in_block(&survey->block, i - 1))
				return i;
	return survey->end;
}

static int add_servers(const struct survey *survey,
                       const struct sg_ntpconf_request *request,
                       struct sg_ntpconf_plan *plan, struct sg_texts *body,
                       struct sg_error *error)
{
	for (size_t i = 0; i < request->server_count; i++) {
		const struct sg_line *own = own_line(survey, request->servers[i]);

		if (own != NULL) {
			if (judge_own_line(own, request, plan, error) != 0)
				return -1;
		} else if (sg_texts_add(body, "server %s %s", request->servers[i],
		                        request->server_options) != 0) {
			return sg_fail_memory(error);
		}
	}
	return 0;
}

/* Lets the servers' replies in, and ntpq's questions from this host. */
static int add_restrictions(const struct survey *survey,
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
			return sg_fail(
				error, "own-restrict",
				"%s:%zu: this line makes ntpd drop the replies of %s; "
				"remove ignore, noserve and notrust from it",
				found.line->file, found.line->number, server);
		if (sg_texts_add(body, "restrict %s nomodify noquery", server) != 0)
			return sg_fail_memory(error);
	}

	struct sg_restriction local = sg_restriction_for(
		"127.0.0.1", false, survey->active, survey->active_count);
	int failed = 0;
	if (local.own && (local.effects & SG_DROPS_QUERIES))
		failed = sg_warn(
			&plan->warnings, "localhost-noquery",
			"%s:%zu: this line keeps ntpq on this host from asking ntpd, "
			"so that nobody can tell whether it is synchronised; remove "
			"ignore and noquery from it",
			local.line->file, local.line->number);
	else if (local.line == NULL || (local.effects & SG_DROPS_QUERIES))
		failed = sg_texts_add(body, "restrict 127.0.0.1");
	return failed == 0 ? 0 : sg_fail_memory(error);
}

/* Makes the block's lines and finds its place. */
static int compose_block(const struct survey *survey,
                         const struct sg_ntpconf_request *request,
                         struct sg_ntpconf_plan *plan, size_t *position,
                         struct sg_error *error)
{
	double limit = (double)request->server_count;
	struct sg_texts body = {0};
	int failed = 0;

	*position = survey->block.first != NOWHERE ? survey->block.first
	                                           : new_position(survey);
	if (raiser(survey, *position, limit) != NULL)
		*position = new_position(survey);
	const struct sg_line *raised = raiser(survey, *position, limit);
	if (raised != NULL)
		return sg_fail(
			error, "minsane-raised",
			"%s:%zu: this line is read after skewgate's block and raises "
			"minsane above %zu, so that ntpd would never follow %zu "
			"server%s; remove minsane from it",
			raised->file, raised->number, request->server_count,
			request->server_count, request->server_count > 1 ? "s" : "");

	failed = add_servers(survey, request, plan, &body, error);
	if (failed == 0 && minsane(survey) > limit &&
	    sg_texts_add(&body, "tos minsane %zu", request->server_count) != 0)
		failed = sg_fail_memory(error);
	if (failed == 0)
		failed = add_restrictions(survey, request, plan, &body, error);

	struct sg_texts block = {0};
	if (failed == 0 && body.count > 0) {
		failed = sg_texts_add(&block, "%s", BEGIN_MARK);
		for (size_t i = 0; failed == 0 && i < body.count; i++)
			failed = sg_texts_add(&block, "%s", body.items[i]);
		if (failed != 0 || sg_texts_add(&block, "%s", END_MARK) != 0)
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

/* Writes a line that is known to end, whether or not the file's last one did.
 */
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

static int write_text(const struct survey *survey,
                      const struct sg_ntpconf_request *request, size_t position,
                      FILE *out, struct sg_ntpconf_plan *plan)
{
	for (size_t i = 0; i <= survey->main.count; i++) {
		if (i == position)
			fputs(plan->block, out);
		if (i == survey->main.count)
			break;
		const struct sg_line *line = &survey->main.items[i];
		if (in_block(&survey->block, i))
			continue;
		if (request->exclusive && i < survey->end &&
		    !survives_exclusive(line, request)) {
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
	auto_survey struct survey survey = {0};
	size_t position = 0;

	if (make_survey(name, text, size, request, &survey, error) != 0 ||
	    compose_block(&survey, request, plan, &position, error) != 0)
		return -1;
	if (judge_sources(&survey, request, plan) != 0)
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

/* ---- the undoing, and what else the text names -------------------------- */

int sg_ntpconf_plan_revert(const char *name, const char *text, size_t size,
                           struct sg_ntpconf_plan *plan, struct sg_error *error)
{
	struct sg_ntpconf_request nothing = {0};
	auto_survey struct survey survey = {0};
	const size_t mark = strlen(DISABLED_MARK);
	int failed = 0;

	if (make_survey(name, text, size, &nothing, &survey, error) != 0)
		return -1;
	plan->block = strdup("");
	FILE *out = open_memstream(&plan->text, &plan->size);
	if (out == NULL)
		return sg_fail_memory(error);
	for (size_t i = 0; i < survey.main.count; i++) {
		const struct sg_line *line = &survey.main.items[i];
		bool disabled = starts_with(line, DISABLED_MARK);

		if (in_block(&survey.block, i))
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
	*plan = (struct sg_ntpconf_plan){0};
}
