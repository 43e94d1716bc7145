/* SPDX-License-Identifier: MIT */
/*
 * skewgate status: what this host's clock is worth, in one look.
 *
 * The kernel's flag never decides: it reads "synchronised" for hours after ntpd
 * has died. What decides is the live ntpd, and our own measurement.
 */
#include "tools.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Its own code; skewgate(8) lists it. */
enum { EXIT_UNHEALTHY = 1 };

struct status {
	const struct options *options;
	struct report report; /* its warnings, daemon and config are told */
	struct host host;
	struct sg_ntpconf_sources sources;
	const char *servers[SG_MAX_SERVERS + 1]; /* ours, and the followed one */
	size_t server_count;
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
	const struct sg_sntp_answer *measured; /* NULL: nothing usable */
	struct sg_warnings hindrances; /* lines that can keep ntpd from following */
	bool asked_ntpd;
	struct sg_ntpq ntpq;
	struct sg_clock clock; /* the kernel's word */
	bool has_ntpd;
	bool daemon_gone; /* an ntpd is installed, and does not run */
	bool healthy;
};

#define warn(status, ...)                                                      \
	((void)sg_warn(&(status)->report.warnings, __VA_ARGS__))

/* ---- the config --------------------------------------------------------- */

static void list_included(struct status *status,
                          const struct included *included,
                          struct sg_error *error)
{
	for (size_t i = 0; i < included->count; i++)
		(void)sg_ntpconf_list_sources(
			included->items[i].path, included->items[i].text,
			strlen(included->items[i].text), &status->sources, error);
}

static void add_server(struct status *status, const char *name)
{
	const size_t room = sizeof status->servers / sizeof *status->servers;

	for (size_t i = 0; i < status->server_count; i++)
		if (sg_ntpconf_same_server(status->servers[i], name))
			return;
	if (status->server_count < room)
		status->servers[status->server_count++] = name;
}

/* The servers that this host is meant to follow: skewgate's own, or Amazon's.
 */
static void choose_ours(struct status *status)
{
	const struct sg_ntpconf_sources *sources = &status->sources;

	for (size_t i = 0; i < sources->count; i++)
		if (sources->items[i].managed)
			add_server(status, sources->items[i].name);
	for (size_t i = 0; i < sources->count; i++)
		if (sg_ntpconf_same_server(sources->items[i].name, SG_AMAZON_IPV4) ||
		    sg_ntpconf_same_server(sources->items[i].name, SG_AMAZON_IPV6))
			add_server(status, sources->items[i].name);
}

/* Whom to ask besides: the one that ntpd follows, if that speaks NTP; and when
 * there is nobody else, the first source. */
static void choose_others(struct status *status)
{
	if (status->ntpq.selected[0] != '\0' && !status->ntpq.clock)
		add_server(status, status->ntpq.selected);
	if (status->server_count == 0 && status->sources.count > 0 &&
	    !status->ntpq.clock)
		add_server(status, status->sources.items[0].name);
}

/* What setup would say of the config, and what it would have to add. */
static void judge_config(struct status *status, const struct sg_file *file,
                         const struct included *included)
{
	const struct sg_ntpconf_request request = {
		.servers = status->servers,
		.server_count = status->server_count,
		.server_options = DEFAULT_SERVER_OPTIONS,
		.included = included->items,
		.included_count = included->count,
	};
	struct sg_ntpconf_plan plan = {0};
	struct sg_error error = {0};

	if (sg_ntpconf_plan(file->path, file->bytes, file->size, &request, &plan,
	                    &error) != 0) {
		warn(status, error.code, "%s", error.text);
		sg_ntpconf_plan_free(&plan);
		return;
	}
	for (size_t i = 0; i < plan.warnings.count; i++)
		if (strcmp(plan.warnings.items[i].code, "quorum-lowered") != 0)
			warn(status, plan.warnings.items[i].code, "%s",
			     plan.warnings.items[i].text);
	status->hindrances = plan.hindrances;
	plan.hindrances = (struct sg_warnings){0};
	if (plan.lowers_minsane)
		warn(status, "minsane-trap",
		     "%s asks for more agreeing sources than one (tos minsane), and "
		     "ntpd follows nobody when fewer answer; run skewgate setup",
		     file->path);
	sg_ntpconf_plan_free(&plan);
}

static void read_config(struct status *status)
{
	sg_auto_file struct sg_file file = SG_NO_FILE;
	struct included included = {0};
	struct sg_error error = {0};

	if (sg_file_read(-1, status->host.config, SG_NTPCONF_MAX, &file, &error) !=
	        0 ||
	    host_read_included(&status->host, &file, &included, &error) != 0 ||
	    sg_ntpconf_list_sources(file.path, file.bytes, file.size,
	                            &status->sources, &error) != 0)
		warn(status, error.code, "%s", error.text);
	else
		list_included(status, &included, &error);
	choose_ours(status);
	if (status->server_count == 0)
		choose_others(status);
	if (file.bytes != NULL && status->server_count > 0)
		judge_config(status, &file, &included);
	included_free(&included);
}

/* ---- the daemon --------------------------------------------------------- */

static bool has_source(const struct status *status, const char *name)
{
	for (size_t i = 0; i < status->ntpq.sources.count; i++)
		if (sg_ntpconf_same_server(status->ntpq.sources.items[i], name))
			return true;
	return false;
}

static void judge_sources(struct status *status)
{
	for (size_t i = 0; i < status->sources.count; i++) {
		const char *name = status->sources.items[i].name;

		/* Names are known by addresses that only ntpd knows. */
		if (sg_ntpconf_is_address(name) && !has_source(status, name)) {
			warn(status, "config-not-followed",
			     "%s is in %s, but the running ntpd does not have it; restart "
			     "ntpd, or run skewgate setup",
			     name, status->host.config);
			return;
		}
	}
}

static void judge_daemon(struct status *status)
{
	static const char *const others[] = {"chronyd", "systemd-timesyn"};
	struct sg_error error = {0};

	if (status->host.ntpd.pid == 0)
		warn(status, "daemon-gone",
		     "ntpd does not run, whatever the kernel still says of the clock; "
		     "start it, or run skewgate setup");
	else if (sg_ntpq_ask(NULL, &status->ntpq, &error) != 0)
		warn(status, error.code, "%s", error.text);
	else
		status->asked_ntpd = true;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (status->host.ntpd.pid != 0 && sg_process_find(others[i]).pid != 0)
			warn(status, "two-daemons",
			     "%s sets the clock as well as ntpd; stop and disable one of "
			     "them",
			     others[i]);
	if (status->host.dhcp_copy != NULL)
		warn(status, "dhcp-copy",
		     "ntpd reads %s, which DHCP has written, and not %s; use skewgate "
		     "setup --override-dhcp",
		     status->host.dhcp_copy, status->host.config);
}

/* ---- the measurement ---------------------------------------------------- */

/* The answer of the server that ntpd follows, if that is usable. */
static const struct sg_sntp_answer *followed_answer(const struct status *status,
                                                    size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (status->answers[i].usable &&
		    sg_ntpconf_same_server(status->answers[i].address,
		                           status->ntpq.selected))
			return &status->answers[i];
	return NULL;
}

static void measure(struct status *status)
{
	if (status->server_count == 0)
		return;
	size_t count = sg_sntp_query(status->servers, status->server_count,
	                             &sg_sntp_defaults, status->answers);
	struct consensus found = answers_judge(status->answers, count);

	status->measured = followed_answer(status, count);
	if (status->measured == NULL)
		status->measured = found.best;
	for (size_t i = 0; i < count; i++)
		if (!status->answers[i].usable)
			warn(status, "server-unusable", "%s: %.800s",
			     status->answers[i].server, status->answers[i].error.text);
	(void)answers_warn(&found, &status->report);
	if (status->measured != NULL &&
	    llabs(status->measured->offset) > status->options->max_offset)
		warn(status, "clock-off",
		     "this host is off by %+.6f s; run skewgate setup --step",
		     (double)status->measured->offset / 1e6);
}

/* ---- the judgement ------------------------------------------------------ */

/* What ntpd says; that it has just stepped the clock counts only when that is
 * right. */
static enum sg_ntpq_word judge_word(const struct status *status)
{
	enum sg_ntpq_word word = sg_ntpq_judge(&status->ntpq);
	bool right = status->measured != NULL &&
	             llabs(status->measured->offset) <= SG_SYNCHRONISED_OFFSET;

	return word == SG_NTPQ_PENDING && !right ? SG_NTPQ_LEAP_ALARM : word;
}

static void judge_selection(struct status *status)
{
	const struct sg_ntpq *ntpq = &status->ntpq;

	if (!status->asked_ntpd)
		return;
	switch (judge_word(status)) {
	case SG_NTPQ_NOT_SELECTED:
		warn(status, "not-synchronised",
		     "ntpd has not selected a source; look at \"ntpq -pn\"");
		break;
	case SG_NTPQ_PENDING:
		proof_warn_pending(&status->report);
		break;
	case SG_NTPQ_LEAP_ALARM:
		warn(status, "not-synchronised",
		     "ntpd has selected %s, but says that the clock is not "
		     "synchronised%s%s; it may need longer, or may not set the clock",
		     ntpq->selected, ntpq->event[0] != '\0' ? ": " : "", ntpq->event);
		break;
	case SG_NTPQ_FOLLOWS:
		break;
	}
	judge_sources(status);
}

/* An ntpd that cannot be asked is judged by the measurement alone; where only a
 * reference clock is followed, there is none. */
static bool is_healthy(const struct status *status)
{
	enum sg_ntpq_word word = judge_word(status);
	bool follows = word == SG_NTPQ_FOLLOWS || word == SG_NTPQ_PENDING;
	bool right =
		status->measured != NULL
			? llabs(status->measured->offset) <= status->options->max_offset
			: status->server_count == 0 && status->asked_ntpd;

	return status->has_ntpd && !status->daemon_gone && right &&
	       (follows || !status->asked_ntpd);
}

static void examine(struct status *status)
{
	struct sg_error error = {0};

	sg_clock_ask_kernel(&status->clock);
	status->has_ntpd =
		host_begin(&status->host, &status->report, NULL, NULL,
	               HOST_RESTARTS | HOST_LOOKS, &error) == EXIT_DONE;
	if (status->has_ntpd) {
		judge_daemon(status);
		read_config(status);
	} else {
		warn(status, error.code, "%s", error.text);
	}
	choose_others(status);
	measure(status);
	judge_selection(status);
	/* Where chrony keeps the clock it is not for us to say. */
	status->daemon_gone =
		status->has_ntpd && !sg_process_is_alive(&status->host.ntpd);
	status->healthy = is_healthy(status);
	/* Where ntpd follows all the same, they are the administrator's choice. */
	for (size_t i = 0; i < status->hindrances.count && !status->healthy; i++)
		warn(status, status->hindrances.items[i].code, "%s",
		     status->hindrances.items[i].text);
}

/* ---- telling ------------------------------------------------------------ */

/* Colour, on a terminal that has not asked for none (no-color.org). */
static const char *paint(const char *code)
{
	return is_terminal(STDOUT_FILENO) && getenv("NO_COLOR") == NULL ? code : "";
}

static void print_words(const struct status *status)
{
	const struct sg_warnings *warnings = &status->report.warnings;
	const char *daemon = status->report.daemon;

	printf("%s%s%s\n", paint(status->healthy ? "\033[1;32m" : "\033[1;31m"),
	       status->healthy ? "healthy" : "NOT healthy", paint("\033[m"));
	if (status->clock.state == SG_CLOCK_UNKNOWN)
		printf("  kernel    says nothing of the clock");
	else
		printf("  kernel    calls the clock %s",
		       sg_clock_state_name(status->clock.state));
	if (status->clock.bounded)
		printf(", within %.6f s by its own reckoning",
		       (double)status->clock.bound / 1e6);
	printf("\n  daemon    %s", daemon != NULL ? daemon : "none");
	if (status->host.ntpd.pid != 0)
		printf(", process %ld", (long)status->host.ntpd.pid);
	else if (daemon != NULL)
		printf(", does not run");
	if (status->ntpq.selected[0] != '\0')
		printf(", follows %s", status->ntpq.selected);
	putchar('\n');
	if (status->report.config != NULL)
		printf("  config    %s\n", status->report.config);
	for (size_t i = 0; i < status->sources.count; i++)
		printf("  %s%s%s\n", i == 0 ? "sources   " : "          ",
		       status->sources.items[i].name,
		       status->sources.items[i].managed ? " (skewgate's)" : "");
	if (status->measured != NULL)
		printf("  measured  %+.6f s from %s, delay %.6f s, stratum %d\n",
		       (double)status->measured->offset / 1e6,
		       status->measured->address, (double)status->measured->delay / 1e6,
		       status->measured->stratum);
	for (size_t i = 0; i < warnings->count; i++)
		printf("  %swarning%s   %s [%s]\n", paint("\033[1;33m"),
		       paint("\033[m"), warnings->items[i].text,
		       warnings->items[i].code);
}

static json_t *measured_json(const struct sg_sntp_answer *measured)
{
	if (measured == NULL)
		return json_null();
	return json_pack("{s:s, s:f, s:f, s:i}", "server", measured->address,
	                 "offset_s", (double)measured->offset / 1e6, "delay_s",
	                 (double)measured->delay / 1e6, "stratum",
	                 measured->stratum);
}

static json_t *status_json(const struct status *status)
{
	json_t *sources = json_array();
	bool runs = status->host.ntpd.pid != 0;

	for (size_t i = 0; i < status->sources.count; i++)
		json_array_append_new(sources,
		                      sg_json_string(status->sources.items[i].name));
	return json_pack(
		"{s:b, s:{s:s, s:o}, s:{s:o, s:o, s:b, s:o, s:o}, s:{s:o, s:o}, s:o, "
		"s:o}",
		"healthy", status->healthy, "clock", "state",
		sg_clock_state_name(status->clock.state), "bound_s",
		sg_json_seconds(status->clock.bounded, status->clock.bound), "daemon",
		"name", sg_json_string(status->report.daemon), "kind",
		sg_json_string(status->report.daemon != NULL ? DAEMON_KIND : NULL),
		"running", runs, "pid",
		runs ? json_integer(status->host.ntpd.pid) : json_null(), "selected",
		status->ntpq.selected[0] != '\0' ? json_string(status->ntpq.selected)
										 : json_null(),
		"config", "path", sg_json_string(status->report.config), "sources",
		sources, "measured", measured_json(status->measured), "warnings",
		warnings_json(&status->report.warnings));
}

static void print_metric(const char *name, const char *help, double value)
{
	printf(
		"# HELP skewgate_%s %s\n# TYPE skewgate_%s gauge\nskewgate_%s %.9g\n",
		name, help, name, name, value);
}

/* The textfile format of Prometheus's node_exporter. */
static void print_prometheus(const struct status *status)
{
	const struct sg_warnings *warnings = &status->report.warnings;

	print_metric("healthy", "Whether the clock is healthy.", status->healthy);
	print_metric("daemon_running", "Whether ntpd runs.",
	             status->host.ntpd.pid != 0);
	if (status->clock.state != SG_CLOCK_UNKNOWN)
		print_metric("kernel_synchronised",
		             "What the kernel says of the clock; it does not decide.",
		             status->clock.state == SG_CLOCK_SYNCHRONISED);
	if (status->clock.bounded)
		print_metric("kernel_bound_seconds",
		             "The error that the kernel reckons with.",
		             (double)status->clock.bound / 1e6);
	if (status->measured != NULL) {
		print_metric("offset_seconds",
		             "Server less host: positive when the host is behind.",
		             (double)status->measured->offset / 1e6);
		print_metric("delay_seconds", "Round trip to the server.",
		             (double)status->measured->delay / 1e6);
		print_metric("stratum", "The server's stratum.",
		             status->measured->stratum);
	}
	if (warnings->count > 0)
		printf("# HELP skewgate_warning What skewgate status warns of.\n"
		       "# TYPE skewgate_warning gauge\n");
	for (size_t i = 0; i < warnings->count; i++) {
		bool told = false; /* a series may be told once */

		for (size_t k = 0; k < i; k++)
			told = told || strcmp(warnings->items[k].code,
			                      warnings->items[i].code) == 0;
		if (!told)
			printf("skewgate_warning{code=\"%s\"} 1\n",
			       warnings->items[i].code);
	}
}

static int tell(const struct status *status)
{
	if (status->options->json)
		return print_json(status_json(status), DIGITS_OF_OFFSET);
	if (status->options->prometheus)
		print_prometheus(status);
	else
		print_words(status);
	return fflush(stdout);
}

/* ---- the command -------------------------------------------------------- */

/* Leaves the measurement where the gate finds it. */
static int record(const struct status *status)
{
	const struct sg_sntp_answer *measured = status->measured;
	struct sg_error error = {0};

	if (measured == NULL) {
		sg_fail(&error, "server-unusable",
		        "nothing was measured, and nothing recorded: %.800s",
		        status->report.warnings.count > 0
		            ? status->report.warnings.items[0].text
		            : "no server is configured");
	} else {
		const struct sg_measurement measurement = {
			.server = measured->address,
			.offset = measured->offset,
			.bound = measured->root_distance,
			.daemon_gone = status->daemon_gone,
		};

		if (sg_clock_store(SG_CLOCK_RECORD, &measurement, &error) == 0)
			return EXIT_DONE;
	}
	fprintf(stderr, "skewgate: %s [%s]\n", error.text, error.code);
	return EXIT_UNHEALTHY;
}

int cmd_status(const struct options *options)
{
	static struct status status; /* the answers would strain the stack */

	report_begin(&status.report, options);
	status.host = NO_HOST;
	status.options = options;
	examine(&status);
	int code = status.healthy ? EXIT_DONE : EXIT_UNHEALTHY;
	if (options->record)
		code = record(&status);
	/* A timer's run says nothing when it has done its work. */
	if ((!options->record || options->json || options->prometheus) &&
	    tell(&status) != 0) {
		fputs("skewgate: the status could not be written\n", stderr);
		code = EXIT_UNHEALTHY;
	}
	sg_ntpconf_sources_free(&status.sources);
	sg_texts_free(&status.ntpq.sources);
	sg_warnings_free(&status.hindrances);
	sg_warnings_free(&status.report.warnings);
	free(status.report.config);
	host_close(&status.host);
	return code;
}
