/*
 * The sources that ntpd will have: an administrator's own line for our server,
 * others beside it, and what mixing them means.
 */
#include "survey.h"

#include <stdio.h>
#include <string.h>

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

bool sg_is_requested(const struct sg_ntpconf_request *request, const char *name)
{
	for (size_t i = 0; i < request->server_count; i++)
		if (sg_ntpconf_same_server(name, request->servers[i]))
			return true;
	return false;
}

const struct sg_line *sg_own_line(const struct sg_survey *survey,
                                  const char *server)
{
	for (size_t i = 0; i < survey->active_count; i++)
		if (sg_line_is(survey->active[i], "server") &&
		    sg_ntpconf_same_server(sg_line_source(survey->active[i]), server))
			return survey->active[i];
	return NULL;
}

bool sg_survives_exclusive(const struct sg_line *line,
                           const struct sg_ntpconf_request *request)
{
	if (!is_source(line))
		return !sg_line_is(line, "leapfile");
	return is_reference_clock(line) ||
	       (sg_line_is(line, "server") &&
	        sg_is_requested(request, sg_line_source(line)));
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

/* ntpd's poll interval at first, as an exponent of 2, of a line's minpoll. */
static unsigned first_poll(const struct sg_line *line)
{
	enum { DEFAULT = 6, LOWEST = 3, HIGHEST = 17 };

	for (size_t i = 2; i + 1 < line->word_count; i++) {
		unsigned long poll = strtoul(line->words[i + 1], NULL, 10);

		if (strcmp(line->words[i], "minpoll") == 0)
			return poll < LOWEST    ? LOWEST
			       : poll > HIGHEST ? HIGHEST
			                        : (unsigned)poll;
	}
	return DEFAULT;
}

/* Without iburst ntpd takes four polls for what are 6 s with it. */
static int judge_speed(const struct sg_line *line, struct sg_ntpconf_plan *plan)
{
	unsigned seconds = 4U << first_poll(line);

	if (has_option(line, "iburst", NULL))
		return 0;
	return sg_warn(&plan->hindrances, "own-line-options",
	               "%s:%zu: your own line for %s lacks iburst, so that ntpd "
	               "needs about %u s to follow it; add iburst, or use --wait "
	               "%u",
	               line->file, line->number, sg_line_source(line), seconds,
	               seconds + 60);
}

int sg_judge_own_line(const struct sg_line *line,
                      const struct sg_ntpconf_request *request,
                      struct sg_ntpconf_plan *plan, struct sg_error *error)
{
	if (has_option(line, "noselect", NULL))
		return sg_fail(error, "own-line-noselect",
		               "%s:%zu: this line for %s carries noselect, so ntpd "
		               "would never follow it; remove that word, or the line",
		               line->file, line->number, sg_line_source(line));
	sg_auto_free char *missing = missing_options(line, request->server_options);
	if (missing == NULL)
		return sg_fail_memory(error);
	if (missing[0] == '\0')
		return 0;
	return sg_warn(&plan->warnings, "own-line-options",
	               "%s:%zu: your own line for %s is kept, but lacks%s; add it, "
	               "or remove the line and run skewgate setup again",
	               line->file, line->number, sg_line_source(line),
	               missing) == 0 &&
	               judge_speed(line, plan) == 0
	           ? 0
	           : sg_fail_memory(error);
}

/* Names the first few lines that `wanted` picks; NULL when it picks none. */
static char *name_lines(const struct sg_survey *survey,
                        const struct sg_ntpconf_request *request,
                        bool (*wanted)(const struct sg_survey *,
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

static bool mixes(const struct sg_survey *survey, const struct sg_line *line,
                  const struct sg_ntpconf_request *request)
{
	(void)survey;
	return is_source(line) && !sg_is_requested(request, sg_line_source(line)) &&
	       !is_amazon(sg_line_source(line));
}

static bool is_included_source(const struct sg_survey *survey,
                               const struct sg_line *line,
                               const struct sg_ntpconf_request *request)
{
	return !sg_is_in_main(survey, line) &&
	       !sg_survives_exclusive(line, request);
}

static bool is_remaining_clock(const struct sg_survey *survey,
                               const struct sg_line *line,
                               const struct sg_ntpconf_request *request)
{
	(void)survey;
	(void)request;
	return is_source(line) && is_reference_clock(line);
}

static bool is_named(const struct sg_survey *survey,
                     const struct sg_ntpconf_request *request,
                     const char *server)
{
	return sg_is_requested(request, server) ||
	       sg_own_line(survey, server) != NULL;
}

int sg_judge_sources(const struct sg_survey *survey,
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
		failed |= sg_warn(&plan->warnings, "included-sources",
		                  "--exclusive does not edit included files; disable "
		                  "these lines there: %s",
		                  included);
	if (request->exclusive && clocks != NULL)
		failed |= sg_warn(&plan->warnings, "reference-clock",
		                  "a reference clock was left in place: %s; remove it "
		                  "if this host has no such device",
		                  clocks);
	if (is_named(survey, request, SG_AMAZON_IPV4) &&
	    is_named(survey, request, SG_AMAZON_IPV6))
		failed |= sg_warn(&plan->warnings, "both-endpoints",
		                  "%s and %s are the same clock, which would outvote "
		                  "others; keep one of them",
		                  SG_AMAZON_IPV4, SG_AMAZON_IPV6);
	return failed;
}

int sg_ntpconf_list_sources(const char *name, const char *text, size_t size,
                            struct sg_ntpconf_sources *sources,
                            struct sg_error *error)
{
	const struct sg_ntpconf_request none = {.servers = NULL};
	sg_auto_survey struct sg_survey survey = {0};

	if (sg_survey_make(name, text, size, &none, &survey, error) != 0)
		return -1;
	for (size_t i = 0; i < survey.end; i++) {
		const struct sg_line *line = &survey.main.items[i];

		if (!is_source(line) || is_reference_clock(line) ||
		    line->word_count < 2)
			continue;
		struct sg_ntpconf_source *items =
			reallocarray(sources->items, sources->count + 1, sizeof *items);
		if (items == NULL)
			return sg_fail_memory(error);
		sources->items = items;
		items[sources->count] = (struct sg_ntpconf_source){
			.name = strdup(sg_line_source(line)),
			.managed = sg_in_block(&survey.block, i),
		};
		if (items[sources->count].name == NULL)
			return sg_fail_memory(error);
		sources->count++;
	}
	return 0;
}

void sg_ntpconf_sources_free(struct sg_ntpconf_sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		free(sources->items[i].name);
	free(sources->items);
	*sources = (struct sg_ntpconf_sources){0};
}
