/* SPDX-License-Identifier: MIT */
/* skewgate revert: undoes what setup did, and nothing that others did since. */
#include "tools.h"

#include <stdio.h>
#include <string.h>

/* One run, from options to report. */
struct revert {
	const struct options *options;
	struct report report;
	struct host host;
	struct sg_ntpconf_plan plan;
	char *defaults; /* the new text of /etc/default, or NULL */
	bool overridden;
	struct sg_error failure; /* of the first part that cannot be undone */
	struct change change;
};

/* A part that cannot be undone: said, and the rest goes on. */
static void give_up(struct revert *revert, const struct sg_error *reason)
{
	if (revert->failure.code[0] == '\0')
		revert->failure = *reason;
	(void)sg_warn(&revert->report.warnings, reason->code, "%s", reason->text);
}

/* When nobody knows any more what the variable was, that it is set is at least
 * said. */
static void look_for_override(struct revert *revert)
{
	const struct sg_layout *layout = revert->host.service.layout;
	sg_auto_file struct sg_file file = SG_NO_FILE;
	sg_auto_free char *now = NULL;
	struct sg_error ignored = {0};

	if (layout == NULL || layout->ignore_dhcp == NULL ||
	    sg_file_read(revert->host.root, layout->defaults, SG_NTPCONF_MAX, &file,
	                 &ignored) != 0 ||
	    sg_defaults_get(layout->defaults, file.bytes, layout->ignore_dhcp, &now,
	                    &ignored) != 0)
		return;
	if (now != NULL && strcmp(now, "yes") == 0)
		(void)sg_warn(&revert->report.warnings, "override-left",
		              "%s has %s=yes, and nothing tells whether skewgate set "
		              "it; remove it, if ntpd shall use DHCP's servers again",
		              layout->defaults, layout->ignore_dhcp);
}

/* Plans the undoing of --override-dhcp; a value that somebody else has set
 * since is kept. Another config than the host's has no part in that. */
static int plan_override(struct revert *revert, struct sg_error *error)
{
	struct edit *edit = &revert->change.defaults;
	sg_auto_free char *path = NULL;
	sg_auto_free char *variable = NULL;
	sg_auto_free char *before = NULL;
	sg_auto_free char *now = NULL;

	if (!revert->host.is_live)
		return 0;
	if (state_read_override(&revert->host, &revert->overridden, &path,
	                        &variable, &before, error) != 0)
		return -1;
	if (!revert->overridden) {
		look_for_override(revert);
		return 0;
	}
	if (sg_file_read(revert->host.root, path, SG_NTPCONF_MAX, &edit->file,
	                 error) != 0 ||
	    sg_defaults_get(path, edit->file.bytes, variable, &now, error) != 0)
		return -1;
	if (now == NULL || strcmp(now, "yes") != 0)
		return 0;
	if (sg_defaults_set(path, edit->file.bytes, variable, before,
	                    &revert->defaults, &revert->change.override,
	                    error) != 0)
		return -1;
	edit->text = revert->defaults;
	edit->size = strlen(revert->defaults);
	return 0;
}

static int plan_config(struct revert *revert, struct sg_error *error)
{
	struct edit *edit = &revert->change.config;

	if (sg_file_read(revert->host.root, revert->host.config, SG_NTPCONF_MAX,
	                 &edit->file, error) != 0 ||
	    sg_ntpconf_plan_revert(edit->file.path, edit->file.bytes,
	                           edit->file.size, &revert->plan, error) != 0)
		return -1;
	revert->report.disabled = revert->plan.disabled;
	revert->plan.disabled = (struct sg_texts){0};
	if (revert->plan.changed) {
		edit->text = revert->plan.text;
		edit->size = revert->plan.size;
	}
	return 0;
}

/* Plans each part, whatever becomes of the others. */
static void make_plan(struct revert *revert)
{
	struct own_file *timer = &revert->change.timer;
	struct sg_error error = {0};

	if (plan_config(revert, &error) != 0)
		give_up(revert, &error);
	if (plan_override(revert, &error) != 0) {
		give_up(revert, &error);
		revert->overridden = false; /* is kept for the next try */
	}
	if (timer_plan(&revert->host, NULL, 0, timer, &revert->report, &error) != 0)
		give_up(revert, &error);
	revert->report.state = revert->plan.changed ? CONFIG_OLD : CONFIG_NEW;
}

/* A running ntpd that keeps no source says that it is right, for ever. */
static void warn_without_source(struct revert *revert)
{
	const struct sg_file *file = &revert->change.config.file;
	struct sg_ntpconf_sources sources = {0};
	struct included included = {0};
	struct sg_error ignored = {0};

	bool known =
		host_read_included(&revert->host, file, &included, &ignored) == 0 &&
		sg_ntpconf_list_sources(file->path, file->bytes, file->size, &sources,
	                            &ignored) == 0;
	for (size_t i = 0; i < included.count && known; i++)
		known = sg_ntpconf_list_sources(
					included.items[i].path, included.items[i].text,
					strlen(included.items[i].text), &sources, &ignored) == 0;
	if (known && sources.count == 0)
		(void)sg_warn(&revert->report.warnings, "no-source-left",
		              "%s names no time server any more, so that nothing keeps "
		              "this host's clock; add one, or run skewgate setup",
		              file->path);
	included_free(&included);
	sg_ntpconf_sources_free(&sources);
}

static int restart(struct revert *revert)
{
	struct sg_error error = {0};

	if (revert->options->no_restart || !revert->change.was_running)
		return EXIT_DONE;
	warn_without_source(revert);
	if (!sg_service_may(&revert->host.service, "restart"))
		change_warn_not_restarted(&revert->change);
	else if (change_restart(&revert->change, &error) != 0)
		return change_roll_back(&revert->change, &error);
	return EXIT_DONE;
}

static int carry_out(struct revert *revert)
{
	struct report *report = &revert->report;
	bool for_ntpd = revert->plan.changed || revert->defaults != NULL;
	bool any = for_ntpd || revert->change.timer.planned || revert->overridden;
	struct sg_error error = {0};
	int code = EXIT_DONE;

	if (!any && revert->failure.code[0] != '\0')
		return report_fail(report, EXIT_CONFIG, &revert->failure);
	if (!any) {
		snprintf(report->summary, sizeof report->summary,
		         "nothing to undo: %s has no block of skewgate",
		         report->config);
		return EXIT_DONE;
	}
	if (change_write(&revert->change, &error) != 0)
		return report_fail(report, EXIT_CONFIG, &error);
	if (for_ntpd)
		code = restart(revert);
	if (code != EXIT_DONE)
		return code;
	if (revert->overridden && state_drop_override(&revert->host, &error) != 0)
		sg_warn(&report->warnings, error.code, "%s", error.text);
	snprintf(report->summary, sizeof report->summary,
	         revert->failure.code[0] == '\0'
	             ? "done: what skewgate setup did to %s is undone"
	             : "done, except for what the warnings name: what skewgate "
	               "setup did to %s is undone",
	         report->config);
	return EXIT_DONE;
}

static int run(struct revert *revert)
{
	struct sg_error error = {0};

	int code =
		host_begin(&revert->host, &revert->report, revert->options->root,
	               revert->options->config,
	               revert->options->no_restart ? 0 : HOST_RESTARTS, &error);
	if (code != EXIT_DONE)
		return report_fail(&revert->report, code, &error);
	/* What does not run now is not started by an undoing. */
	revert->change.was_running = revert->host.ntpd.pid != 0;
	make_plan(revert);
	return carry_out(revert);
}

int cmd_revert(const struct options *options)
{
	struct revert revert = {
		.options = options,
		.host = NO_HOST,
		.change = {.config.file = SG_NO_FILE,
	               .defaults.file = SG_NO_FILE,
	               .leaves_disabled = true},
	};

	report_begin(&revert.report, options);
	revert.change.host = &revert.host;
	revert.change.report = &revert.report;
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
