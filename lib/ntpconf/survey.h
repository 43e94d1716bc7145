/* SPDX-License-Identifier: MIT */
/* Inside ntpconf only: what ntpd reads, and which sources that gives it. */
#ifndef SG_NTPCONF_SURVEY_H
#define SG_NTPCONF_SURVEY_H

#include "lines.h"

#define SG_BEGIN_MARK SG_NTPCONF_MARK ": Amazon Time Sync Service"
#define SG_END_MARK "# END skewgate"

#define SG_NOWHERE SIZE_MAX

/* The lines first..last of the managed block; both SG_NOWHERE without one. */
struct sg_block {
	size_t first;
	size_t last;
};

/* Everything that the plan looks at. */
struct sg_survey {
	struct augeas *augeas;
	struct sg_lines main;
	struct sg_lines *included;
	size_t included_count;
	struct sg_block block;
	size_t end; /* lines from here on are not read: an `end` line */
	/* All lines that ntpd reads but the block's, in its order, and the index
	 * of the main file's line by which each is read. */
	const struct sg_line **active;
	size_t *places;
	size_t active_count;
	bool *off; /* for each line of the main file: the plan turns it off */
};

#define sg_auto_survey __attribute__((cleanup(sg_survey_free)))

/*
 * Reads the main text and the request's included ones. The survey is given to
 * sg_survey_free, also after a failure: config-not-text, block-damaged,
 * block-doubled.
 */
int sg_survey_make(const char *name, const char *text, size_t size,
                   const struct sg_ntpconf_request *request,
                   struct sg_survey *survey, struct sg_error *error);

void sg_survey_free(struct sg_survey *survey);

/* Whether the main file's line `index` belongs to the block. */
bool sg_in_block(const struct sg_block *block, size_t index);

/* Marks a line of the main file as one that becomes a comment; and asks. */
void sg_turn_off(struct sg_survey *survey, const struct sg_line *line);
bool sg_is_off(const struct sg_survey *survey, const struct sg_line *line);

bool sg_is_in_main(const struct sg_survey *survey, const struct sg_line *line);

bool sg_line_starts_with(const struct sg_line *line, const char *prefix);

/* ---- sources.c ---------------------------------------------------------- */

bool sg_is_source(const struct sg_line *line);

/*
 * Decides about the administrator's existing lines for a server; of several,
 * ntpd takes the first. Those whose options are some of ours, but not all, are
 * turned off. `*kept` says whether one is left, so that the block needs none;
 * when it is another one than ours would be, there is a warning. Error:
 * own-line-noselect.
 */
int sg_judge_existing_lines(struct sg_survey *survey, const char *server,
                            const struct sg_ntpconf_request *request,
                            struct sg_ntpconf_plan *plan, bool *kept,
                            struct sg_error *error);

/* Warns about which sources ntpd will have side by side; -1 without memory. */
int sg_judge_sources(const struct sg_survey *survey,
                     const struct sg_ntpconf_request *request,
                     struct sg_ntpconf_plan *plan);

bool sg_is_requested(const struct sg_ntpconf_request *request,
                     const char *name);

/* Whether the line stays as it is under --exclusive. */
bool sg_survives_exclusive(const struct sg_line *line,
                           const struct sg_ntpconf_request *request);

/* ---- hindrances.c ------------------------------------------------------- */

/* Names the lines that can keep ntpd from following; -1 without memory. */
int sg_judge_hindrances(const struct sg_survey *survey,
                        const struct sg_ntpconf_request *request,
                        struct sg_ntpconf_plan *plan);

#endif
