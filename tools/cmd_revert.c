/* skewgate revert: undoes what setup did, and nothing that others did since. */
#include "tools.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* One run, from options to report. */
struct revert {
	const char *config;
	const char *root;
	bool no_restart;
	struct report report;
	struct host host;
	struct sg_ntpconf_plan plan;
	char *defaults; /* the new text of /etc/default, or NULL */
	bool overridden;
	struct change change;
};

static int parse_options(struct revert *revert, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"root", required_argument, NULL, 'r'},
		{"no-restart", no_argument, NULL, 'n'},
		{"json", no_argument, NULL, 'j'},
		{"quiet", no_argument, NULL, 'q'},
		{"verbose", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0},
	};
	int option = 0;
	bool bad = false;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			revert->config = optarg;
			break;
		case 'r':
			revert->root = optarg;
			break;
		case 'n':
			revert->no_restart = true;
			break;
		case 'j':
			revert->report.json = true;
			break;
		case 'q':
			revert->report.quiet = true;
			break;
		case 'v':
			revert->report.verbose = true;
			break;
		default:
			bad = true;
		}
	}
	if (revert->root != NULL)
		revert->no_restart = true;
	return bad || optind < argc ? -1 : 0;
}

/* Plans the undoing of --override-dhcp; a value that somebody else has set
 * since is kept. */
static int plan_override(struct revert *revert, struct sg_error *error)
{
	struct sg_file *file = &revert->change.defaults.file;
	sg_auto_free char *path = NULL;
	sg_auto_free char *variable = NULL;
	sg_auto_free char *before = NULL;
	sg_auto_free char *now = NULL;

	if (state_read_override(&revert->host, &revert->overridden, &path,
	                        &variable, &before, error) != 0)
		return -1;
	if (!revert->overridden)
		return 0;
	if (sg_file_read(revert->host.root, path, SG_NTPCONF_MAX, file, error) !=
	        0 ||
	    sg_defaults_get(path, file->bytes, variable, &now, error) != 0)
		return -1;
	if (now == NULL || strcmp(now, "yes") != 0)
		return 0;
	return sg_defaults_set(path, file->bytes, variable, before,
	                       &revert->defaults, &revert->change.override, error);
}

static int make_plan(struct revert *revert, struct sg_error *error)
{
	struct sg_file *file = &revert->change.config.file;

	if (sg_file_read(revert->host.root, revert->host.config, SG_NTPCONF_MAX,
	                 file, error) != 0 ||
	    sg_ntpconf_plan_revert(file->path, file->bytes, file->size,
	                           &revert->plan, error) != 0)
		return -1;
	revert->report.disabled = revert->plan.disabled;
	revert->plan.disabled = (struct sg_texts){0};
	revert->report.is_new = !revert->plan.changed;
	return plan_override(revert, error);
}

static int carry_out(struct revert *revert)
{
	struct report *report = &revert->report;
	bool changed = revert->plan.changed || revert->defaults != NULL;
	struct sg_error error = {0};

	if (!changed && !revert->overridden) {
		snprintf(report->summary, sizeof report->summary,
		         "nothing to undo: %s has no block of skewgate",
		         report->config);
		return EXIT_DONE;
	}
	if (change_write(&revert->change,
	                 revert->plan.changed ? revert->plan.text : NULL,
	                 revert->plan.size, revert->defaults, &error) != 0)
		return report_fail(&revert->report, EXIT_CONFIG, &error);
	if (changed && !revert->no_restart && revert->change.was_running) {
		if (!sg_service_may(&revert->host.service, "restart"))
			change_warn_not_restarted(&revert->change);
		else if (change_restart(&revert->change, &error) != 0)
			return change_roll_back(&revert->change, &error);
	}
	if (revert->overridden && state_drop_override(&revert->host, &error) != 0)
		sg_warn(&report->warnings, error.code, "%s", error.text);
	snprintf(report->summary, sizeof report->summary,
	         "done: what skewgate setup did to %s is undone", report->config);
	return EXIT_DONE;
}

static int run(struct revert *revert)
{
	struct sg_error error = {0};

	int code = host_begin(&revert->host, &revert->report, revert->root,
	                      revert->config, !revert->no_restart, false, &error);
	if (code != EXIT_DONE)
		return report_fail(&revert->report, code, &error);
	/* What does not run now is not started, nor enabled, by an undoing. */
	revert->change.was_running = revert->host.ntpd.pid != 0;
	revert->host.service.enabled = true;
	if (make_plan(revert, &error) != 0)
		return report_fail(&revert->report, EXIT_CONFIG, &error);
	return carry_out(revert);
}

int cmd_revert(int argc, char **argv)
{
	struct revert revert = {
		.host = NO_HOST,
		.change = {.config.file = SG_NO_FILE, .defaults.file = SG_NO_FILE},
	};

	report_begin(&revert.report);
	revert.change.host = &revert.host;
	revert.change.report = &revert.report;
	if (parse_options(&revert, argc, argv) != 0)
		return report_usage(
			&revert.report,
			"an option of revert is unknown, or lacks its value");
	catch_signals();

	int code = run(&revert);

	sg_ntpconf_plan_free(&revert.plan);
	change_free(&revert.change);
	host_close(&revert.host);
	free(revert.defaults);
	code = report_end(&revert.report, code);
	die_of_signal();
	return code;
}
