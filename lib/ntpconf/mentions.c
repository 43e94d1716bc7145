/* SPDX-License-Identifier: MIT */
/* What ntp.conf names: a server, the files that it includes, its log. */
#include "lines.h"

#include <string.h>

int sg_ntpconf_list_includes(const char *name, const char *text, size_t size,
                             struct sg_ntpconf_includes *includes,
                             struct sg_error *error)
{
	struct sg_lines lines = {0};
	int failed = 0;

	*includes = (struct sg_ntpconf_includes){0};
	/* Most files include nothing; they need not be parsed twice. */
	if (memmem(text, size, "includefile", strlen("includefile")) == NULL)
		return 0;
	sg_auto_augeas struct augeas *augeas = sg_lines_open(error);
	if (augeas == NULL ||
	    sg_lines_parse(augeas, name, text, size, 1, &lines, error) != 0)
		return -1;
	includes->items = calloc(lines.count + 1, sizeof *includes->items);
	if (includes->items == NULL) {
		sg_lines_free(&lines);
		return sg_fail_memory(error);
	}
	for (size_t i = 0; i < lines.count && failed == 0; i++) {
		const struct sg_line *line = &lines.items[i];

		if (sg_line_is(line, "end"))
			break;
		if (!sg_line_is(line, "includefile") || line->word_count < 2)
			continue;
		struct sg_ntpconf_include *include = &includes->items[includes->count];
		include->line = line->number;
		include->path = strdup(line->words[1]);
		if (include->path == NULL)
			failed = sg_fail_memory(error);
		else
			includes->count++;
	}
	if (failed != 0)
		sg_ntpconf_includes_free(includes);
	sg_lines_free(&lines);
	return failed;
}

void sg_ntpconf_includes_free(struct sg_ntpconf_includes *includes)
{
	for (size_t i = 0; i < includes->count; i++)
		free(includes->items[i].path);
	free(includes->items);
	*includes = (struct sg_ntpconf_includes){0};
}

bool sg_ntpconf_lists_server(const char *name, const char *text, size_t size,
                             const char *server)
{
	struct sg_lines lines = {0};
	struct sg_error ignored = {0};
	bool found = false;

	sg_auto_augeas struct augeas *augeas = sg_lines_open(&ignored);
	if (augeas == NULL ||
	    sg_lines_parse(augeas, name, text, size, 1, &lines, &ignored) != 0)
		return false;
	for (size_t i = 0; i < lines.count && !found; i++)
		found = sg_line_is(&lines.items[i], "server") &&
		        sg_ntpconf_same_server(sg_line_source(&lines.items[i]), server);
	sg_lines_free(&lines);
	return found;
}

char *sg_ntpconf_log_file(const char *name, const char *text, size_t size)
{
	struct sg_lines lines = {0};
	struct sg_error ignored = {0};
	char *path = NULL;

	sg_auto_augeas struct augeas *augeas = sg_lines_open(&ignored);
	if (augeas == NULL ||
	    sg_lines_parse(augeas, name, text, size, 1, &lines, &ignored) != 0)
		return NULL;
	for (size_t i = 0; i < lines.count && path == NULL; i++)
		if (sg_line_is(&lines.items[i], "logfile") &&
		    lines.items[i].word_count > 1)
			path = strdup(lines.items[i].words[1]);
	sg_lines_free(&lines);
	return path;
}
