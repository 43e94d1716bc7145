/* SPDX-License-Identifier: MIT */
/*
 * What a config asks of ntpd that can keep it from following a server which
 * answers. Whether it does depends on the host, so these are told when ntpd
 * does not follow, and are no reason to refuse the edit.
 */
#include "survey.h"

#include <arpa/inet.h>
#include <math.h>
#include <string.h>
#include <strings.h>

/* ---- tos ---------------------------------------------------------------- */

/* Options of tos that rule servers out (ntp_proto.c, both daemons). */
static const struct {
	const char *word;
	double lowest; /* a number in lowest..highest rules nobody out */
	double highest;
	const char *code;
	const char *effect; /* the option's number follows it */
	const char *unit;
} limits[] = {
	{"floor", -HUGE_VAL, 1, "tos-floor",
     "ntpd follows no server whose stratum is below", ""},
	{"ceiling", 15, HUGE_VAL, "tos-ceiling",
     "ntpd follows no server whose stratum is not below", ""},
	{"orphan", 16, HUGE_VAL, "tos-orphan",
     "ntpd follows no server whose stratum is not below", ""},
	{"maxdist", 1.5, HUGE_VAL, "tos-maxdist",
     "ntpd follows no server whose root distance exceeds", " s"},
};

static int judge_tos(const struct sg_survey *survey,
                     struct sg_ntpconf_plan *plan)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		const struct sg_line *last = NULL;
		double value = 0;

		for (size_t k = 0; k < survey->active_count; k++)
			if (sg_line_sets_tos(survey->active[k], limits[i].word, &value))
				last = survey->active[k];
		if (last == NULL ||
		    (value >= limits[i].lowest && value <= limits[i].highest))
			continue;
		failed |= sg_warn(&plan->hindrances, limits[i].code,
		                  "%s:%zu: with this line %s %g%s; remove %s from it",
		                  last->file, last->number, limits[i].effect, value,
		                  limits[i].unit, limits[i].word);
	}
	return failed;
}

/* ---- interfaces --------------------------------------------------------- */

#define IPV4 1U
#define IPV6 2U

/* The families of all servers; a name may have addresses of both. */
static unsigned needed_families(const struct sg_ntpconf_request *request)
{
	unsigned char address[sizeof(struct in6_addr)];
	unsigned families = 0;

	for (size_t i = 0; i < request->server_count; i++)
		families |= inet_pton(AF_INET, request->servers[i], address) == 1 ? IPV4
		            : inet_pton(AF_INET6, request->servers[i], address) == 1
		                ? IPV6
		                : IPV4 | IPV6;
	return families;
}

/* The families whose interfaces the rule is for, all of them; 0: for one
 * interface. */
static unsigned target_families(const char *target)
{
	return strcmp(target, "all") == 0    ? IPV4 | IPV6
	       : strcmp(target, "ipv4") == 0 ? IPV4
	       : strcmp(target, "ipv6") == 0 ? IPV6
	                                     : 0;
}

static bool is_interface_rule(const struct sg_line *line)
{
	return (sg_line_is(line, "interface") || sg_line_is(line, "nic")) &&
	       line->word_count > 2;
}

/* Whether the rule still counts for one of the families: of several that match
 * an interface the last one decides (ntp_io.c). ntpd does without the wildcard
 * anyhow. */
static bool is_in_force(const struct sg_survey *survey, size_t index,
                        unsigned families)
{
	const char *target = survey->active[index]->words[2];

	if (strcmp(target, "wildcard") == 0)
		return false;
	if (target_families(target) != 0)
		families &= target_families(target);
	for (size_t i = index + 1; i < survey->active_count; i++) {
		if (!is_interface_rule(survey->active[i]))
			continue;
		families &= ~target_families(survey->active[i]->words[2]);
		if (strcasecmp(survey->active[i]->words[2], target) == 0)
			return false;
	}
	return families != 0;
}

static int judge_interfaces(const struct sg_survey *survey,
                            const struct sg_ntpconf_request *request,
                            struct sg_ntpconf_plan *plan)
{
	int failed = 0;

	for (size_t i = 0; i < survey->active_count; i++) {
		const struct sg_line *line = survey->active[i];

		if (!is_interface_rule(line) ||
		    (strcmp(line->words[1], "ignore") != 0 &&
		     strcmp(line->words[1], "drop") != 0) ||
		    !is_in_force(survey, i, needed_families(request)))
			continue;
		failed |= sg_warn(&plan->hindrances, "interface-ignored",
		                  "%s:%zu: with this line ntpd hears nothing on the "
		                  "interface %s; remove it when the server is reached "
		                  "through that",
		                  line->file, line->number, line->words[2]);
	}
	return failed;
}

/* ---- lines of other kinds ----------------------------------------------- */

static bool has_word(const struct sg_line *line, const char *word)
{
	for (size_t i = 1; i < line->word_count; i++)
		if (strcmp(line->words[i], word) == 0)
			return true;
	return false;
}

/* Neither an `enable` line nor the order of lines undoes these two: ntpd
 * disables after it has enabled, and unpeers after it has added. */
static int judge_line(const struct sg_line *line,
                      const struct sg_ntpconf_request *request,
                      struct sg_ntpconf_plan *plan)
{
	if (sg_line_is(line, "disable") && has_word(line, "ntp"))
		return sg_warn(&plan->hindrances, "ntp-disabled",
		               "%s:%zu: with this line ntpd does not set the clock; "
		               "remove ntp from it",
		               line->file, line->number);
	if ((sg_line_is(line, "unpeer") || sg_line_is(line, "unconfig")) &&
	    sg_is_requested(request, sg_line_source(line)))
		return sg_warn(&plan->hindrances, "unpeered",
		               "%s:%zu: this line takes %s away from ntpd; remove it",
		               line->file, line->number, sg_line_source(line));
	return 0;
}

int sg_judge_hindrances(const struct sg_survey *survey,
                        const struct sg_ntpconf_request *request,
                        struct sg_ntpconf_plan *plan)
{
	int failed = 0;

	for (size_t i = 0; i < survey->active_count; i++)
		failed |= judge_line(survey->active[i], request, plan);
	failed |= judge_tos(survey, plan);
	failed |= judge_interfaces(survey, request, plan);
	return failed;
}
