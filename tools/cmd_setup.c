/* SPDX-License-Identifier: MIT */
/*
 * skewgate setup: points ntpd at the time server, and proves that the host
 * follows it.
 */
#include "tools.h"

#include <stdio.h>
#include <string.h>

/* Most that a server may be off from a clock that other sources keep: a leap
 * second is smeared over a day, which is half a second at most. */
#define MOST_CONTRADICTION SG_SECOND

/* One run, from options to report. */
struct setup {
	struct options options;
	struct report report;
	struct host host;
	struct sg_ntpconf_plan plan;
	char *defaults; /* the new text of /etc/default, or NULL */
	bool stepped;   /* the clock was stepped, or need not be */
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
	const struct options *options = &setup->options;
	sg_auto_file struct sg_file copy = SG_NO_FILE;
	bool listed = true;

	if (options->override_dhcp &&
	    (!host->is_live || host->service.layout == NULL ||
	     host->service.layout->ignore_dhcp == NULL))
		return sg_fail(error, "no-dhcp-switch",
		               "--override-dhcp works with ntpsec's own files only, "
		               "and not with a --config that ntpd does not read; set "
		               "the VPC's DHCP option ntp-servers to %s instead",
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
	if (sg_defaults_set(layout->defaults, edit->file.bytes, layout->ignore_dhcp,
	                    "yes", &setup->defaults, &setup->change.override,
	                    error) != 0)
		return -1;
	edit->text = setup->defaults;
	edit->size = strlen(setup->defaults);
	return 0;
}

/*
 * Without --server: the one of Amazon's two addresses that the config has
 * already, else the one that this host has a way to. Nothing is sent for that.
 */
static void choose_server(struct setup *setup)
{
	static const char *const endpoints[] = {SG_AMAZON_IPV4, SG_AMAZON_IPV6};
	struct options *options = &setup->options;
	const struct sg_file *file = &setup->change.config.file;

	if (options->server_count > 0)
		return;
	options->server_count = 1;
	for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
		options->servers[0] = endpoints[i];
		/* Reading the text costs more than looking for a part of it. */
		if (strstr(file->bytes, i == 0 ? "169.254." : "ec2:") != NULL &&
		    sg_ntpconf_lists_server(file->path, file->bytes, file->size,
		                            endpoints[i]))
			return;
	}
	bool six = setup->host.root < 0 && !sg_sntp_has_route(SG_AMAZON_IPV4) &&
	           sg_sntp_has_route(SG_AMAZON_IPV6);
	options->servers[0] = endpoints[six ? 1 : 0];
	report_step(&setup->report, "the server is %s", options->servers[0]);
}

static int plan_config(struct setup *setup, struct sg_ntpconf_plan *plan,
                       struct sg_error *error)
{
	const struct options *options = &setup->options;
	const struct sg_file *file = &setup->change.config.file;
	struct included included = {0};

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
		                         plan, error);
	}
	included_free(&included);
	return failed;
}

/* Moves warnings into the report. */
static int tell(struct report *report, const struct sg_warnings *warnings,
                struct sg_error *error)
{
	for (size_t i = 0; i < warnings->count; i++)
		if (sg_warn(&report->warnings, warnings->items[i].code, "%s",
		            warnings->items[i].text) != 0)
			return sg_fail_memory(error);
	return 0;
}

static int make_plan(struct setup *setup, struct sg_error *error)
{
	const struct options *options = &setup->options;
	struct report *report = &setup->report;

	if (sg_file_read(setup->host.root, setup->host.config, SG_NTPCONF_MAX,
	                 &setup->change.config.file, error) != 0)
		return -1;
	choose_server(setup);
	setup->proof.servers = options->servers;
	setup->proof.server_count = options->server_count;
	if (judge_dhcp(setup, error) != 0 ||
	    plan_config(setup, &setup->plan, error) != 0 ||
	    plan_override(setup, error) != 0 ||
	    timer_plan(&setup->host, options->servers, options->server_count,
	               &setup->change.timer, report, error) != 0)
		return -1;

	if (setup->plan.changed) {
		setup->change.config.text = setup->plan.text;
		setup->change.config.size = setup->plan.size;
	}
	/* What was planned belongs to the report from here on. */
	report->block = setup->plan.block;
	report->disabled = setup->plan.disabled;
	setup->plan.block = NULL;
	setup->plan.disabled = (struct sg_texts){0};
	report->state = setup->plan.changed ? CONFIG_OLD : CONFIG_NEW;
	return tell(report, &setup->plan.warnings, error);
}

/* Whether a file changes that ntpd reads at its start. */
static bool concerns_ntpd(const struct setup *setup)
{
	return setup->plan.changed || setup->defaults != NULL;
}

static int dry_run(struct setup *setup)
{
	const struct options *options = &setup->options;
	struct report *report = &setup->report;
	const struct host *host = &setup->host;
	const struct change *change = &setup->change;
	const char *name =
		host->service.layout != NULL ? host->service.layout->service : "ntpd";
	struct sg_error error = {0};

	report->diff = change_diff(change, &error);
	if (report->diff == NULL)
		return report_fail(report, EXIT_INTERNAL, &error);
	if (!options->no_preflight)
		report_action(report, "ask %s for the time", options->servers[0]);
	if (setup->defaults != NULL)
		report_action(report, "set IGNORE_DHCP=yes in %s",
		              change->defaults.file.path);
	if (change->timer.planned)
		report_action(report, "%s %s",
		              change->timer.after != NULL ? "write" : "remove",
		              change->timer.path);
	if (setup->plan.changed)
		report_action(report, "edit %s", change->config.file.path);
	if (!options->no_restart && options->step != SG_STEP_OFF)
		report_action(report,
		              "stop %s, step the clock, start %s, unless the host is "
		              "synchronised",
		              name, name);
	else if (!options->no_restart && host->ntpd.pid == 0)
		report_action(report, "start %s", name);
	else if (!options->no_restart &&
	         (concerns_ntpd(setup) || state_is_unread(host)))
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
	const struct proof *proof = &setup->proof;
	char before[64] = "";

	if (report->before_known)
		snprintf(before, sizeof before, ", was %+.6f s",
		         (double)report->offset_before / 1e6);
	snprintf(report->summary, sizeof report->summary,
	         "%s: this host follows %s%s (off by %+.6f s%s) after %.1f s",
	         report->actions.count > 0 ? "done" : "nothing to do",
	         proof->by_clock ? "the reference clock " : "", proof->followed,
	         (double)report->offset_after / 1e6, before,
	         (double)(sg_time_elapsed() - report->started) / 1e6);
}

/*
 * Waits until ntpd follows. Somebody else's restart of it is none of our
 * failures: DHCP's hooks, needrestart and cloud-init do that at boot.
 */
static enum answer await_proof(struct setup *setup, struct sg_error *error)
{
	struct host *host = &setup->host;
	sg_usec end = sg_time_elapsed() + setup->options.wait * SG_SECOND;
	enum answer found = UNKNOWN;

	for (;;) {
		sg_usec left = end - sg_time_elapsed();
		struct sg_process other = {0};

		if (setup->options.wait > 0)
			found = proof_await(&setup->proof, &host->ntpd, left > 0 ? left : 0,
			                    &setup->report, error);
		if (sg_process_is_alive(&host->ntpd) || stop_signal != 0 ||
		    !sg_service_adopt(&host->service, &host->ntpd, &other))
			return found;
		host->ntpd = other;
		report_action(&setup->report, "restarted by others");
	}
}

/* Names the lines that can keep ntpd from following, as they stand now. */
static void tell_hindrances(struct setup *setup)
{
	struct sg_ntpconf_plan plan = {0};
	struct sg_error ignored = {0};

	if (plan_config(setup, &plan, &ignored) == 0)
		(void)tell(&setup->report, &plan.hindrances, &ignored);
	sg_ntpconf_plan_free(&plan);
}

static int fail_proof(struct setup *setup, const struct sg_error *reason)
{
	struct report *report = &setup->report;
	struct sg_error error = *reason;

	tell_hindrances(setup);
	if (setup->stepped)
		return report_fail(report, EXIT_NOT_SYNCHRONISED, &error);
	sg_fail(&error, "step-failed",
	        "the step of the clock failed, and this host is not synchronised; "
	        "see the warning, and whether it may set its clock");
	return report_fail(report, EXIT_STEP_FAILED, &error);
}

/* Waits for the proof, and judges what came of it. */
static int prove(struct setup *setup)
{
	struct report *report = &setup->report;
	struct host *host = &setup->host;
	struct sg_error error = {0};

	report->synchronised = await_proof(setup, &error);
	if (stop_signal != 0)
		return EXIT_INTERNAL;
	if (!sg_process_is_alive(&host->ntpd)) {
		sg_fail(&error, "ntpd-died", "ntpd died after it had come up");
		return change_roll_back(&setup->change, &error);
	}
	if (report->synchronised == NO)
		return fail_proof(setup, &error);
	if (report->synchronised == YES) {
		summarise(setup);
	} else if (!setup->stepped) {
		sg_fail(&error, "step-failed",
		        "the step of the clock failed; see the warning, and whether "
		        "this host may set its clock");
		return report_fail(report, EXIT_STEP_FAILED, &error);
	} else {
		snprintf(report->summary, sizeof report->summary,
		         "done: %s runs; whether it is synchronised was not judged",
		         host->service.layout->service);
	}
	return EXIT_DONE;
}

/*
 * What the live ntpd needs. The file alone proves nothing: the ntpd that runs
 * may have been started before it was written.
 */
enum need { NEED_NOTHING, NEED_WAIT, NEED_RESTART, NEED_STEP };

static enum need judge_live(struct setup *setup)
{
	const struct report *report = &setup->report;
	struct host *host = &setup->host;
	/* A clock that is right is not stepped. */
	bool step = setup->options.step != SG_STEP_OFF &&
	            (!report->before_known ||
	             llabs(report->offset_before) > SG_SYNCHRONISED_OFFSET);
	bool stale = concerns_ntpd(setup) || state_is_unread(host);
	struct sg_error error = {0};

	if (host->ntpd.pid == 0)
		return step ? NEED_STEP : NEED_RESTART;
	if (stale && !step)
		return NEED_RESTART;
	if (proof_test(&setup->proof, &host->ntpd, &setup->report, &error) == YES)
		return stale ? NEED_RESTART : NEED_NOTHING;
	report_step(report, "not synchronised yet: %s", error.text);
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
	return change_write(&setup->change, error);
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

/* The sources that ntpd follows, and the server: one of them is wrong, and who
 * would follow the server might follow the wrong one. */
static int judge_followed(struct setup *setup, struct sg_error *error)
{
	const struct report *report = &setup->report;
	char other[INET6_ADDRSTRLEN];

	if (setup->options.exclusive || !report->before_known ||
	    llabs(report->offset_before) <= MOST_CONTRADICTION ||
	    !setup->host.is_live || setup->host.ntpd.pid == 0 ||
	    !proof_follows_other(&setup->proof, other))
		return 0;
	return sg_fail(error, "servers-disagree",
	               "ntpd is synchronised to %s, and %s says that this host is "
	               "off by %+.3f s: one of the two is wrong, and nothing was "
	               "changed; find out which, or follow %s alone with "
	               "--exclusive",
	               other, proof_address(&setup->proof),
	               (double)report->offset_before / 1e6,
	               setup->options.servers[0]);
}

/* Asks the servers, where something depends on their answer. */
static int preflight(struct setup *setup, struct sg_error *error)
{
	const struct options *options = &setup->options;
	struct sg_error silent = {0};

	if (!options->no_preflight) {
		if (proof_preflight(&setup->proof, &setup->report, error) != 0)
			return -1;
	} else if (options->step != SG_STEP_OFF) {
		/* Without an answer there will be no step, which is told then. */
		(void)proof_preflight(&setup->proof, &setup->report, &silent);
	}
	return judge_followed(setup, error);
}

/* Gives ntpd what it needs. 0, or -1: ntpd-died. */
static int apply(struct setup *setup, enum need need, struct sg_error *error)
{
	struct change *change = &setup->change;
	struct sg_error reason = {0};

	setup->stepped = true;
	if (need == NEED_STEP && proof_may_step(&setup->proof, &reason) != 0) {
		setup->stepped = false;
		sg_warn(&setup->report.warnings, "step-failed", "%s", reason.text);
		need = NEED_RESTART;
	}
	if (need == NEED_STEP)
		return change_step(change, &setup->proof, setup->options.step,
		                   &setup->stepped, error);
	if (need == NEED_RESTART)
		return change_restart(change, error);
	change_enable(change);
	return 0;
}

/* What was good a moment ago: whether it still is, and what there is to say. */
static int finish(struct setup *setup, int code)
{
	struct report *report = &setup->report;
	struct sg_error error = {0};

	if (code != EXIT_ROLLED_BACK &&
	    change_compare(&setup->change, &error) != 0 && code == EXIT_DONE)
		return report_fail(report, EXIT_CONFIG, &error);
	if (report->synchronised == YES && setup->proof.pending)
		proof_warn_pending(report);
	if (code == EXIT_DONE)
		proof_record(&setup->proof, report);
	return code;
}

/* From the plan to the proof. */
static int carry_out(struct setup *setup)
{
	struct change *change = &setup->change;
	struct sg_error error = {0};

	if (preflight(setup, &error) != 0)
		return stop_signal != 0
		           ? interrupted(setup)
		           : report_fail(&setup->report, EXIT_NO_ANSWER, &error);
	bool restart = may_restart(setup);
	enum need need = restart ? judge_live(setup) : NEED_NOTHING;

	if (stop_signal != 0)
		return interrupted(setup);
	if (write_files(setup, &error) != 0)
		return report_fail(&setup->report, EXIT_CONFIG, &error);
	if (stop_signal != 0) {
		change_undo_files(change);
		return interrupted(setup);
	}
	if (!restart)
		return finish(setup, end_without_restart(setup));
	if (apply(setup, need, &error) != 0) {
		int code = change_roll_back(change, &error);

		return stop_signal != 0 ? interrupted(setup) : code;
	}
	int code = need == NEED_NOTHING ? EXIT_DONE : prove(setup);
	if (stop_signal != 0)
		return interrupted(setup);
	if (need == NEED_NOTHING) {
		/* Told not to judge, it does not, though it has just seen it. */
		setup->report.synchronised = setup->options.wait > 0 ? YES : UNKNOWN;
		summarise(setup);
	}
	return finish(setup, code);
}

static int run(struct setup *setup)
{
	const struct options *options = &setup->options;
	struct sg_error error = {0};

	unsigned use = (options->no_restart ? 0U : HOST_RESTARTS) |
	               (options->dry_run ? HOST_LOOKS : 0U);
	int code = host_begin(&setup->host, &setup->report, options->root,
	                      options->config, use, &error);
	if (code != EXIT_DONE)
		return report_fail(&setup->report, code, &error);
	setup->change.was_running = setup->host.ntpd.pid != 0;
	if (make_plan(setup, &error) != 0)
		return report_fail(&setup->report, EXIT_CONFIG, &error);
	return options->dry_run ? dry_run(setup) : carry_out(setup);
}

int cmd_setup(const struct options *options)
{
	static struct setup setup; /* zeros; the answers would strain the stack */

	report_begin(&setup.report, options);
	setup.options = *options;
	setup.host = NO_HOST;
	setup.change = (struct change){
		.host = &setup.host,
		.report = &setup.report,
		.config.file = SG_NO_FILE,
		.defaults.file = SG_NO_FILE,
	};
	catch_signals();

	int code = run(&setup);

	sg_ntpconf_plan_free(&setup.plan);
	change_free(&setup.change);
	proof_free(&setup.proof);
	host_close(&setup.host);
	free(setup.defaults);
	code = report_end(&setup.report, code);
	die_of_signal();
	return code;
}
