/* SPDX-License-Identifier: MIT */
/* What a run tells: its steps, and in the end words or one JSON object. */
#include "tools.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void report_begin(struct report *report, const struct options *options)
{
	*report = (struct report){
		.json = options->json,
		.quiet = options->quiet,
		.verbose = options->verbose,
		.dry_run = options->dry_run,
		.started = sg_time_elapsed(),
	};
}

void report_step(const struct report *report, const char *format, ...)
{
	va_list arguments;

	if (!report->verbose)
		return;
	va_start(arguments, format);
	fputs("skewgate: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

void report_action(struct report *report, const char *format, ...)
{
	char text[SG_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	report_step(report, "%s", text);
	/* Without memory the list is short of a line; the host is not. */
	(void)sg_texts_add(&report->actions, "%s", text);
}

bool is_terminal(int descriptor)
{
	const char *kind = getenv("TERM");

	return isatty(descriptor) && (kind == NULL || strcmp(kind, "dumb") != 0);
}

void report_progress(const struct report *report, const char *text)
{
	if (report->quiet || report->verbose || !is_terminal(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[K%s", text != NULL ? text : "");
	fflush(stderr);
}

static json_t *texts_json(const struct sg_texts *texts)
{
	json_t *array = json_array();

	for (size_t i = 0; i < texts->count; i++)
		json_array_append_new(array, sg_json_string(texts->items[i]));
	return array;
}

json_t *error_json(const struct sg_error *error)
{
	if (error->code[0] == '\0')
		return json_null();
	return json_pack("{s:s, s:o}", "code", error->code, "text",
	                 sg_json_string(error->text));
}

json_t *warnings_json(const struct sg_warnings *warnings)
{
	json_t *array = json_array();

	for (size_t i = 0; i < warnings->count; i++)
		json_array_append_new(array, error_json(&warnings->items[i]));
	return array;
}

static json_t *report_json(const struct report *report)
{
	static const char *const states[] = {
		[CONFIG_OLD] = "old",
		[CONFIG_NEW] = "new",
		[CONFIG_FOREIGN] = "foreign",
	};
	json_t *object = json_object();

	json_object_set_new(object, "changed", json_boolean(report->changed));
	json_object_set_new(object, "config_state",
	                    json_string(states[report->state]));
	json_object_set_new(object, "daemon", sg_json_string(report->daemon));
	json_object_set_new(
		object, "kind",
		sg_json_string(report->daemon != NULL ? DAEMON_KIND : NULL));
	json_object_set_new(object, "config", sg_json_string(report->config));
	json_object_set_new(object, "block", sg_json_string(report->block));
	json_object_set_new(object, "disabled", texts_json(&report->disabled));
	json_object_set_new(object, "actions", texts_json(&report->actions));
	json_object_set_new(
		object, "offset_before_s",
		sg_json_seconds(report->before_known, report->offset_before));
	json_object_set_new(
		object, "offset_after_s",
		sg_json_seconds(report->after_known, report->offset_after));
	json_object_set_new(object, "synchronised",
	                    report->synchronised == UNKNOWN
	                        ? json_null()
	                        : json_boolean(report->synchronised == YES));
	json_object_set_new(object, "why", sg_json_string(report->why));
	json_object_set_new(
		object, "elapsed_ms",
		json_integer((sg_time_elapsed() - report->started) / 1000));
	json_object_set_new(object, "warnings", warnings_json(&report->warnings));
	json_object_set_new(object, "error", error_json(&report->error));
	if (report->dry_run)
		json_object_set_new(object, "diff", sg_json_string(report->diff));
	return object;
}

int print_json(json_t *value, size_t digits)
{
	int failed =
		value == NULL ||
		json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(digits));

	json_decref(value);
	if (!failed)
		failed = putchar('\n') == EOF || fflush(stdout) != 0;
	return failed ? -1 : 0;
}

static void print_words(const struct report *report)
{
	for (size_t i = 0; i < report->warnings.count && !report->quiet; i++)
		fprintf(stderr, "skewgate: warning: %s [%s]\n",
		        report->warnings.items[i].text, report->warnings.items[i].code);
	if (report->error.code[0] != '\0')
		fprintf(stderr, "skewgate: %s [%s]\n", report->error.text,
		        report->error.code);
	if (report->quiet)
		return;
	if (report->diff != NULL)
		fputs(report->diff, stdout);
	for (size_t i = 0; i < report->actions.count; i++)
		printf("%s%s\n", report->dry_run ? "would: " : "  ",
		       report->actions.items[i]);
	if (report->summary[0] != '\0')
		printf("%s\n", report->summary);
}

int report_end(struct report *report, int code)
{
	report_progress(report, NULL);
	int failed = 0;
	if (report->json) {
		failed = print_json(report_json(report), DIGITS_OF_OFFSET);
	} else {
		print_words(report);
		failed = fflush(stdout);
	}
	if (failed != 0) {
		fputs("skewgate: the report could not be written\n", stderr);
		/* The code tells what became of the host, and that is known. */
		if (report->dry_run && code == EXIT_DONE)
			code = EXIT_INTERNAL;
	}
	free(report->config);
	free(report->block);
	free(report->diff);
	sg_texts_free(&report->disabled);
	sg_texts_free(&report->actions);
	sg_warnings_free(&report->warnings);
	return code;
}

int report_fail(struct report *report, int code, const struct sg_error *error)
{
	report->error = *error;
	return strcmp(error->code, "internal") == 0 ? EXIT_INTERNAL : code;
}

int report_usage(const struct options *options, const char *command,
                 const struct sg_error *error)
{
	struct report report;

	report_begin(&report, options);
	report.error = *error;
	report_end(&report, EXIT_USAGE);
	fprintf(stderr, "Try 'skewgate %s --help'.\n", command);
	return EXIT_USAGE;
}
