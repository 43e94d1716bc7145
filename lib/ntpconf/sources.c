/* SPDX-License-Identifier: MIT */
/*
 * The sources that ntpd will have: an administrator's existing line for our
 * server, others beside it, and what mixing them means.
 */
#include "survey.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool sg_is_source(const struct sg_line *line)
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

static bool is_line_for(const struct sg_line *line, const char *server)
{
	return sg_line_is(line, "server") && sg_line_source_at(line) > 0 &&
	       sg_ntpconf_same_server(sg_line_source(line), server);
}

bool sg_survives_exclusive(const struct sg_line *line,
                           const struct sg_ntpconf_request *request)
{
	if (!sg_is_source(line))
		return !sg_line_is(line, "leapfile");
	return is_reference_clock(line) ||
	       (sg_line_is(line, "server") &&
	        sg_is_requested(request, sg_line_source(line)));
}

/* ---- existing lines for a server ---------------------------------------- */

/* Words of a server line, behind the name. */
struct options {
	char **words;
	size_t count;
};

static struct options options_of(const struct sg_line *line)
{
	size_t at = sg_line_source_at(line) + 1;

	return (struct options){line->words + at, line->word_count - at};
}

/* The number that belongs to the option, or NULL. */
static const char *number_of(const struct options *options, size_t index)
{
	const char *next =
		index + 1 < options->count ? options->words[index + 1] : NULL;

	return next != NULL && next[0] >= '0' && next[0] <= '9' ? next : NULL;
}

/* Whether the option is there, with that number if it takes one. */
static bool has_option(const struct options *options, const char *word,
                       const char *number)
{
	for (size_t i = 0; i < options->count; i++)
		if (strcmp(options->words[i], word) == 0) {
			const char *found = number_of(options, i);

			return number == NULL ||
			       (found != NULL && strcmp(found, number) == 0);
		}
	return false;
}

/* Lists those of the options, each after a space, that the others lack. */
static char *list_lacking(const struct options *options,
                          const struct options *others)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < options->count; i++) {
		const char *word = options->words[i];
		const char *number = number_of(options, i);

		if (!has_option(others, word, number))
			fprintf(out, " %s%s%s", word, number != NULL ? " " : "",
			        number != NULL ? number : "");
		i += number != NULL;
	}
	return fclose(out) == 0 ? text : NULL;
}

/* How an existing line compares with the one that the block would have. */
struct comparison {
	bool equal;
	bool partial; /* some of our options, but not all, and no other */
	char *lacks;
	char *adds;
};

static void cleanup_comparison(struct comparison *comparison)
{
	free(comparison->lacks);
	free(comparison->adds);
}

#define auto_comparison __attribute__((cleanup(cleanup_comparison)))

/* Whether -4 or -6 stands before the name. With a host name it chooses an
 * address, as the block could not; with an address it says nothing new, or ntpd
 * finds none. */
static bool has_family(const struct sg_line *line, bool *fits)
{
	unsigned char address[sizeof(struct in6_addr)];
	const char *name = sg_line_source(line);
	bool is_ipv4 = inet_pton(AF_INET, name, address) == 1;
	bool is_ipv6 = inet_pton(AF_INET6, name, address) == 1;
	const char *family = line->words[1];

	*fits = true;
	if (sg_line_source_at(line) < 2)
		return false;
	if (is_ipv4 || is_ipv6)
		*fits = (family[1] == '4') == is_ipv4;
	return !is_ipv4 && !is_ipv6;
}

static int compare(const struct sg_line *line, const char *ours,
                   struct comparison *result)
{
	sg_auto_free char *copy = strdup(ours);
	sg_auto_free char **words = calloc(strlen(ours) / 2 + 1, sizeof *words);
	struct options wanted = {words, 0};
	const struct options found = options_of(line);
	char *rest = NULL;
	bool fits = true;

	if (copy == NULL || words == NULL)
		return -1;
	for (char *word = strtok_r(copy, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest))
		words[wanted.count++] = word;
	result->lacks = list_lacking(&wanted, &found);
	result->adds = list_lacking(&found, &wanted);
	if (result->lacks == NULL || result->adds == NULL)
		return -1;
	bool is_other = has_family(line, &fits) || result->adds[0] != '\0';
	result->equal = !is_other && fits && result->lacks[0] == '\0';
	result->partial = !is_other && !result->equal;
	return 0;
}

/* ntpd's poll interval at first, as an exponent of 2, of a line's minpoll. */
static unsigned first_poll(const struct options *options)
{
	enum { DEFAULT = 6, LOWEST = 3, HIGHEST = 17 };

	for (size_t i = 0; i < options->count; i++) {
		const char *number = number_of(options, i);

		if (strcmp(options->words[i], "minpoll") == 0 && number != NULL) {
			unsigned long poll = strtoul(number, NULL, 10);

			return poll < LOWEST    ? LOWEST
			       : poll > HIGHEST ? HIGHEST
			                        : (unsigned)poll;
		}
	}
	return DEFAULT;
}

/* Tells how the line differs from ours; and that without iburst ntpd takes four
 * polls for what are 6 s with it. */
static int warn_of_line(const struct sg_line *line,
                        const struct comparison *difference,
                        struct sg_ntpconf_plan *plan)
{
	const struct options options = options_of(line);
	const char *name = sg_line_source(line);
	unsigned seconds = 4U << first_poll(&options);
	bool lacks = difference->lacks[0] != '\0';
	int failed = 0;

	if (lacks)
		failed = sg_warn(&plan->warnings, "own-line-options",
		                 "%s:%zu: the existing line for %s is kept, but "
		                 "lacks%s; add it, or remove the line and run skewgate "
		                 "setup again",
		                 line->file, line->number, name, difference->lacks);
	else
		failed = sg_warn(
			&plan->warnings, "own-line-options",
			"%s:%zu: the existing line for %s is kept, and differs "
			"from what skewgate would write by%s%s; remove the line "
			"and run skewgate setup again if that is not meant",
			line->file, line->number, name,
			difference->adds[0] != '\0' ? "" : " ",
			difference->adds[0] != '\0' ? difference->adds : line->words[1]);
	if (!has_option(&options, "iburst", NULL))
		failed |=
			sg_warn(&plan->hindrances, "own-line-options",
		            "%s:%zu: the existing line for %s lacks iburst, so "
		            "that ntpd needs about %u s to follow it; add iburst, "
		            "or use --wait %u",
		            line->file, line->number, name, seconds, seconds + 60);
	return failed;
}

static int fail_noselect(const struct sg_line *line, struct sg_error *error)
{
	return sg_fail(error, "own-line-noselect",
	               "%s:%zu: this line for %s carries noselect, so ntpd would "
	               "never follow it; remove that word, or the line",
	               line->file, line->number, sg_line_source(line));
}

/* Turns off the lines for the server that come before `last`. */
static void take_over(struct sg_survey *survey, const char *server,
                      const struct sg_line *last)
{
	for (size_t i = 0; i < survey->active_count && survey->active[i] != last;
	     i++)
		if (is_line_for(survey->active[i], server))
			sg_turn_off(survey, survey->active[i]);
}

int sg_judge_existing_lines(struct sg_survey *survey, const char *server,
                            const struct sg_ntpconf_request *request,
                            struct sg_ntpconf_plan *plan, bool *kept,
                            struct sg_error *error)
{
	const struct sg_line *first = NULL; /* the one that ntpd takes now */

	for (size_t i = 0; i < survey->active_count; i++) {
		const struct sg_line *line = survey->active[i];
		auto_comparison struct comparison result = {0};

		if (!is_line_for(line, server))
			continue;
		const struct options options = options_of(line);
		if (has_option(&options, "noselect", NULL))
			return fail_noselect(line, error);
		if (compare(line, request->server_options, &result) != 0)
			return sg_fail_memory(error);
		if (first == NULL)
			first = line;
		/* Only lines of the main file can be turned off. */
		if (result.partial && sg_is_in_main(survey, line))
			continue;
		*kept = true;
		if (result.equal) {
			take_over(survey, server, line);
			return 0;
		}
		/* One that stays as it is would outrank the block's; then those
		 * before it stay too. */
		auto_comparison struct comparison of_first = {0};
		if (compare(first, request->server_options, &of_first) != 0 ||
		    warn_of_line(first, &of_first, plan) != 0)
			return sg_fail_memory(error);
		return 0;
	}
	*kept = false;
	take_over(survey, server, NULL);
	return 0;
}

/* ---- others ------------------------------------------------------------- */

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
	return sg_is_source(line) &&
	       !sg_is_requested(request, sg_line_source(line)) &&
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
	return sg_is_source(line) && is_reference_clock(line);
}

static bool is_named(const struct sg_survey *survey,
                     const struct sg_ntpconf_request *request,
                     const char *server)
{
	if (sg_is_requested(request, server))
		return true;
	for (size_t i = 0; i < survey->active_count; i++)
		if (is_line_for(survey->active[i], server))
			return true;
	return false;
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

/* Whether the line gives ntpd a source of that name: of the rest, some have
 * none and others are addresses to listen on. */
static bool is_followed(const struct sg_line *line)
{
	return (sg_line_is(line, "server") || sg_line_is(line, "pool") ||
	        sg_line_is(line, "peer")) &&
	       !is_reference_clock(line) && line->word_count > 1;
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

		if (!is_followed(line))
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
