/*
 * skewgate setup: points ntpd at the time server, and proves that the host
 * follows it.
 */
#include "tools.h"

#include <stdio.h>
#include <string.h>

/* One run, from options to report. */
struct setup {
	struct setup_options options;
	struct report report;
	struct host host;
	struct sg_ntpconf_plan plan;
	char *defaults; /* the new text of /etc/default, or NULL */
	struct change change;
	struct proof proof;
};

/* ---- the plan ----------------------------------------------------------- */

/*
 * Under DHCP, ntpd may read a copy of the config that a hook has made: our edit
 * would change nothing.
 */
static int judge_dhcp(struct setup *setup, struct sg_error *error)
{
	const struct host *host = &setup->host;
	const struct setup_options *options = &setup->options;
	sg_auto_file struct sg_file copy = SG_NO_FILE;
	bool listed = true;

	if (options->override_dhcp && (host->service.layout == NULL ||
	                               host->service.layout->ignore_dhcp == NULL))
		return sg_fail(error, "no-dhcp-switch",
		               "--override-dhcp works with ntpsec's own files only; "
		               "set the VPC's DHCP option ntp-servers to %s instead",
		               options->servers[0]);
	if (options->override_dhcp || host->dhcp_copy == NULL ||
	    host->service.layout == NULL)
		return 0;
	if (sg_file_read(-1, host->dhcp_copy, SG_NTPCONF_MAX, &copy, error) != 0)
		return -1;
	for (size_t i = 0; i < options->server_count; i++)
		listed =
			listed && sg_ntpconf_lists_server(host->dhcp_copy, copy.bytes,
		                                      copy.size, options->servers[i]);
	if (!listed)
		return sg_fail(
			error, "dhcp-copy",
			"ntpd does not read %s but %s, which DHCP made and which lacks %s; "
			"%sset the VPC's DHCP option ntp-servers",
			host->config, host->dhcp_copy, options->servers[0],
			host->service.layout->ignore_dhcp != NULL
				? "use --override-dhcp, or "
				: "");
	return sg_warn(&setup->report.warnings, "dhcp-copy",
	               "ntpd reads %s, which DHCP made, and not %s; it names the "
	               "server as long as DHCP does, use --override-dhcp to depend "
	               "on it no more",
	               host->dhcp_copy, host->config) == 0
	           ? 0
	           : sg_fail_memory(error);
}

/* Plans IGNORE_DHCP=yes. */
static int plan_override(struct setup *setup, struct sg_error *error)
{
	const struct sg_layout *layout = setup->host.service.layout;
	struct edit *edit = &setup->change.defaults;
	sg_auto_free char *value = NULL;

	if (!setup->options.override_dhcp || layout == NULL)
		return 0;
	if (sg_file_read(setup->host.root, layout->defaults, SG_NTPCONF_MAX,
	                 &edit->file, error) != 0 ||
	    sg_defaults_get(layout->defaults, edit->file.bytes, layout->ignore_dhcp,
	                    &value, error) != 0)
		return -1;
	if (value != NULL && strcmp(value, "yes") == 0)
		return 0;
	return sg_defaults_set(layout->defaults, edit->file.bytes,
	                       layout->ignore_dhcp, "yes", &setup->defaults,
	                       &setup->change.override, error);
}

static int make_plan(struct setup *setup, struct sg_error *error)
{
	const struct setup_options *options = &setup->options;
	struct sg_file *file = &setup->change.config.file;
	struct included included = {0};

	if (judge_dhcp(setup, error) != 0 ||
	    sg_file_read(setup->host.root, setup->host.config, SG_NTPCONF_MAX, file,
	                 error) != 0)
		return -1;
	int failed = host_read_included(&setup->host, file, &included, error);
	if (failed == 0) {
		const struct sg_ntpconf_request request = {
			.servers = options->servers,
			.server_count = options->server_count,
			.server_options = options->server_options,
			.exclusive = options->exclusive,
			.included = included.items,
			.included_count = included.count,
		};

		failed = sg_ntpconf_plan(file->path, file->bytes, file->size, &request,
		                         &setup->plan, error);
	}
	included_free(&included);
	if (failed != 0 || plan_override(setup, error) != 0)
		return -1;

	/* What was planned belongs to the report from here on. */
	struct report *report = &setup->report;
	report->block = setup->plan.block;
	report->disabled = setup->plan.disabled;
	setup->plan.block = NULL;
	setup->plan.disabled = (struct sg_texts){0};
	for (size_t i = 0; i < setup->plan.warnings.count; i++)
		if (sg_warn(&report->warnings, setup->plan.warnings.items[i].code, "%s",
		            setup->plan.warnings.items[i].text) != 0)
			return sg_fail_memory(error);
	report->is_new = !setup->plan.changed;
	return 0;
}

static bool is_changed(const struct setup *setup)
{
	return setup->plan.changed || setup->defaults != NULL;
}

/* Adds a file's diff to the report's. */
static int add_diff(struct report *report, const struct sg_file *file,
                    const char *text, size_t size, struct sg_error *error)
{
	char *diff = change_diff(file, text, size, error);
	char *both = NULL;

	if (diff == NULL || report->diff == NULL) {
		report->diff = diff;
		return diff != NULL ? 0 : -1;
	}
	int length = asprintf(&both, "%s%s", report->diff, diff);
	free(diff);
	if (length < 0)
		return sg_fail_memory(error);
	free(report->diff);
	report->diff = both;
	return 0;
}

static int dry_run(struct setup *setup)
{
	const struct setup_options *options = &setup->options;
	struct report *report = &setup->report;
	const struct sg_file *file = &setup->change.config.file;
	const char *name = setup->host.service.layout != NULL
	                       ? setup->host.service.layout->service
	                       : "ntpd";
	struct sg_error error = {0};

	if (add_diff(report, file, setup->plan.text, setup->plan.size, &error) !=
	        0 ||
	    (setup->defaults != NULL &&
	     add_diff(report, &setup->change.defaults.file, setup->defaults,
	              strlen(setup->defaults), &error) != 0))
		return report_fail(&setup->report, EXIT_INTERNAL, &error);
	if (!options->no_preflight)
		report_action(report, "ask %s for the time", options->servers[0]);
	if (setup->defaults != NULL)
		report_action(report, "set IGNORE_DHCP=yes in %s",
		              setup->change.defaults.file.path);
	if (setup->plan.changed)
		report_action(report, "edit %s", file->path);
	if (!options->no_restart && options->step != SG_STEP_OFF)
		report_action(report,
		              "stop %s, step the clock, start %s, unless the host is "
		              "synchronised",
		              name, name);
	else if (!options->no_restart && is_changed(setup))
		report_action(report, "restart %s", name);
	if (!options->no_restart && options->wait > 0)
		report_action(report, "wait up to %ld s until %s follows %s",
		              options->wait, name, options->servers[0]);
	snprintf(report->summary, sizeof report->summary,
	         "dry run: nothing was sent, nothing was changed");
	return EXIT_DONE;
}

/* ---- the run ------------------------------------------------------------ */

/* The last sentence of a run that worked. */
static void summarise(struct setup *setup)
{
	struct report *report = &setup->report;
	char before[64] = "";

	if (report->before_known)
		snprintf(before, sizeof before, ", was %+.6f s",
		         (double)report->offset_before / 1e6);
	snprintf(report->summary, sizeof report->summary,
	         "%s: this host follows %s (off by %+.6f s%s) after %.1f s",
	         report->actions.count > 0 ? "done" : "nothing to do",
	         setup->options.servers[0], (double)report->offset_after / 1e6,
	         before, (double)(sg_time_elapsed() - report->started) / 1e6);
}

/* Waits for the proof, and judges what came of it. */
static int prove(struct setup *setup, bool stepped)
{
	struct report *report = &setup->report;
	struct host *host = &setup->host;
	struct sg_error error = {0};

	if (setup->options.wait == 0) {
		snprintf(report->summary, sizeof report->summary,
		         "done: %s runs; whether it is synchronised was not judged",
		         host->service.layout->service);
	} else {
		report->synchronised =
			proof_await(&setup->proof, &host->ntpd,
		                setup->options.wait * SG_SECOND, report, &error);
	}
	if (!sg_process_is_alive(&host->ntpd)) {
		sg_fail(&error, "ntpd-died", "ntpd died after it had come up");
		return change_roll_back(&setup->change, &error);
	}
	if (report->synchronised == NO) {
		if (!stepped)
			sg_fail(&error, "step-failed",
			        "the step of the clock failed, and this host is not "
			        "synchronised; see the warning, and whether it may set its "
			        "clock");
		return report_fail(&setup->report,
		                   stepped ? EXIT_NOT_SYNCHRONISED : EXIT_STEP_FAILED,
		                   &error);
	}
	if (report->synchronised == YES)
		summarise(setup);
	return EXIT_DONE;
}

/*
 * What the live ntpd needs. The file alone proves nothing: the ntpd that runs
 * may have been started before it was written.
 */
enum need { NEED_NOTHING, NEED_WAIT, NEED_RESTART, NEED_STEP };

static enum need judge_live(struct setup *setup)
{
	struct host *host = &setup->host;
	bool step = setup->options.step != SG_STEP_OFF;
	bool stale = is_changed(setup) || state_is_unread(host);
	struct sg_error error = {0};

	if (host->ntpd.pid == 0)
		return step ? NEED_STEP : NEED_RESTART;
	if (stale && !step)
		return NEED_RESTART;
	/* A host that is synchronised is not stepped. */
	if (proof_test(&setup->proof, &host->ntpd, &setup->report, &error) == YES)
		return stale ? NEED_RESTART : NEED_NOTHING;
	report_step(&setup->report, "not synchronised yet: %s", error.text);
	if (step)
		return NEED_STEP;
	/* Without ntpq nobody can tell; a restart would not help that. */
	sg_auto_free char *ntpq = sg_command_find("ntpq");
	return ntpq == NULL || proof_has_server(&setup->proof) ? NEED_WAIT
	                                                       : NEED_RESTART;
}

static int interrupted(struct setup *setup)
{
	sg_fail(&setup->report.error, "interrupted",
	        "stopped by signal %d (%s); ntpd was left running if it ran before",
	        (int)stop_signal, strsignal(stop_signal));
	return EXIT_INTERNAL;
}

static int write_files(struct setup *setup, struct sg_error *error)
{
	const struct sg_layout *layout = setup->host.service.layout;

	if (setup->defaults != NULL &&
	    state_keep_override(&setup->host, layout->defaults, layout->ignore_dhcp,
	                        setup->change.override, error) != 0)
		return -1;
	return change_write(&setup->change,
	                    setup->plan.changed ? setup->plan.text : NULL,
	                    setup->plan.size, setup->defaults, error);
}

static bool may_restart(const struct setup *setup)
{
	const struct sg_service *service = &setup->host.service;

	if (setup->options.no_restart)
		return false;
	if (setup->options.step != SG_STEP_OFF)
		return sg_service_may(service, "stop") &&
		       sg_service_may(service, "start");
	return sg_service_may(service, "restart") &&
	       sg_service_may(service, "start");
}

/* Edit only: what is left is for the next start of ntpd. */
static int end_without_restart(struct setup *setup)
{
	struct report *report = &setup->report;

	if (!setup->options.no_restart)
		change_warn_not_restarted(&setup->change);
	snprintf(report->summary, sizeof report->summary,
	         "%s: ntpd was not restarted",
	         report->changed ? "done" : "nothing to do");
	return EXIT_DONE;
}

/* From the plan to the proof. */
static int carry_out(struct setup *setup)
{
	struct sg_error error = {0};
	bool stepped = true;
	int failed = 0;

	if (!setup->options.no_preflight &&
	    proof_preflight(&setup->proof, &setup->report, &error) != 0)
		return stop_signal != 0
		           ? interrupted(setup)
		           : report_fail(&setup->report, EXIT_NO_ANSWER, &error);
	bool restart = may_restart(setup);
	enum need need = restart ? judge_live(setup) : NEED_NOTHING;

	if (stop_signal != 0)
		return interrupted(setup);
	if (is_changed(setup) && write_files(setup, &error) != 0)
		return report_fail(&setup->report, EXIT_CONFIG, &error);
	if (stop_signal != 0) {
		change_undo_files(&setup->change);
		return interrupted(setup);
	}
	if (!restart)
		return end_without_restart(setup);

	if (need == NEED_STEP)
		failed = change_step(&setup->change, &setup->proof, setup->options.step,
		                     &stepped, &error);
	else if (need == NEED_RESTART)
		failed = change_restart(&setup->change, &error);
	else
		change_enable(&setup->change);
	if (failed != 0) {
		int code = change_roll_back(&setup->change, &error);

		return stop_signal != 0 ? interrupted(setup) : code;
	}
	int code = need == NEED_NOTHING ? EXIT_DONE : prove(setup, stepped);
	if (stop_signal != 0)
		return interrupted(setup);
	if (need == NEED_NOTHING) {
		/* Told not to judge, it does not, though it has just seen it. */
		setup->report.synchronised = setup->options.wait > 0 ? YES : UNKNOWN;
		summarise(setup);
	}
	if (code == EXIT_DONE)
		proof_record(&setup->proof, &setup->report);
	return code;
}

static int run(struct setup *setup)
{
	const struct setup_options *options = &setup->options;
	struct sg_error error = {0};

	int code =
		host_begin(&setup->host, &setup->report, options->root, options->config,
	               !options->no_restart, options->dry_run, &error);
	if (code != EXIT_DONE)
		return report_fail(&setup->report, code, &error);
	setup->change.was_running = setup->host.ntpd.pid != 0;
	if (make_plan(setup, &error) != 0)
		return report_fail(&setup->report, EXIT_CONFIG, &error);
	return options->dry_run ? dry_run(setup) : carry_out(setup);
}

int cmd_setup(int argc, char **argv)
{
	static struct setup setup; /* zeros; the answers would strain the stack */
	struct sg_error error = {0};

	report_begin(&setup.report);
	setup.host = NO_HOST;
	setup.change = (struct change){
		.host = &setup.host,
		.report = &setup.report,
		.config.file = SG_NO_FILE,
		.defaults.file = SG_NO_FILE,
	};
	if (setup_parse_options(&setup.options, &setup.report, argc, argv,
	                        &error) != 0)
		return report_usage(&setup.report, "%s", error.text);
	setup.report.dry_run = setup.options.dry_run;
	setup.proof.servers = setup.options.servers;
	setup.proof.server_count = setup.options.server_count;
	catch_signals();

	int code = run(&setup);

	sg_ntpconf_plan_free(&setup.plan);
	change_free(&setup.change);
	host_close(&setup.host);
	free(setup.defaults);
	code = report_end(&setup.report, code);
	die_of_signal();
	return code;
}
