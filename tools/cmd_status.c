/*
 * skewgate status: what this host's clock is worth, in one look.
 *
 * The kernel's flag never decides: it reads "synchronised" for hours after ntpd
 * has died. What decides is the live ntpd, and our own measurement.
 */
#include "tools.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Its own code; skewgate(8) lists it. */
enum { EXIT_UNHEALTHY = 1 };

/* What a healthy clock may be off. */
#define DEFAULT_MAX_OFFSET SG_SECOND

enum format { WORDS, JSON, PROMETHEUS };

struct status {
	enum format format;
	bool record;
	sg_usec max_offset;
	struct report report; /* its warnings, daemon and config are told */
	struct host host;
	struct sg_ntpconf_sources sources;
	const char *server; /* that was asked, or NULL */
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
	const struct sg_sntp_answer *measured; /* NULL: nothing usable */
	bool asked_ntpd;
	struct sg_ntpq ntpq;
	struct sg_clock clock; /* the kernel's word */
	bool daemon_gone;      /* an ntpd is installed, and does not run */
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

/* The server that this host is meant to follow: skewgate's own, Amazon's, or
 * the one that ntpd has chosen. */
static const char *choose_server(const struct status *status)
{
	const struct sg_ntpconf_sources *sources = &status->sources;

	for (size_t i = 0; i < sources->count; i++)
		if (sources->items[i].managed)
			return sources->items[i].name;
	for (size_t i = 0; i < sources->count; i++)
		if (sg_ntpconf_same_server(sources->items[i].name, SG_AMAZON_IPV4) ||
		    sg_ntpconf_same_server(sources->items[i].name, SG_AMAZON_IPV6))
			return sources->items[i].name;
	if (status->ntpq.selected[0] != '\0')
		return status->ntpq.selected;
	return sources->count > 0 ? sources->items[0].name : NULL;
}

static size_t count_text(const char *text, const char *word)
{
	size_t count = 0;

	while ((text = strstr(text, word)) != NULL) {
		count++;
		text += strlen(word);
	}
	return count;
}

/* What setup would say of the config, and what it would have to add. */
static void judge_config(struct status *status, const struct sg_file *file,
                         const struct included *included)
{
	const struct sg_ntpconf_request request = {
		.servers = &status->server,
		.server_count = 1,
		.server_options = "prefer iburst minpoll 4 maxpoll 4",
		.included = included->items,
		.included_count = included->count,
	};
	static const char minsane[] = "tos minsane";
	struct sg_ntpconf_plan plan = {0};
	struct sg_error error = {0};

	if (sg_ntpconf_plan(file->path, file->bytes, file->size, &request, &plan,
	                    &error) != 0) {
		warn(status, error.code, "%s", error.text);
		return;
	}
	for (size_t i = 0; i < plan.warnings.count; i++)
		warn(status, plan.warnings.items[i].code, "%s",
		     plan.warnings.items[i].text);
	if (count_text(plan.text, minsane) > count_text(file->bytes, minsane))
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
	status->server = choose_server(status);
	if (file.bytes != NULL && status->server != NULL)
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

/* Names are known by addresses that only ntpd knows. */
static bool is_address(const char *name)
{
	return name[strspn(name, "0123456789abcdefABCDEF.:")] == '\0' &&
	       strpbrk(name, ".:") != NULL;
}

static void judge_sources(struct status *status)
{
	for (size_t i = 0; i < status->sources.count; i++) {
		const char *name = status->sources.items[i].name;

		if (is_address(name) && !has_source(status, name)) {
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

static void judge_selection(struct status *status)
{
	if (!status->asked_ntpd)
		return;
	if (status->ntpq.selected[0] == '\0')
		warn(status, "not-synchronised",
		     "ntpd has not selected a source; look at \"ntpq -pn\"");
	else if (status->ntpq.leap == 3)
		warn(status, "not-synchronised",
		     "ntpd has selected %s, but says that the clock is not "
		     "synchronised; it may need longer, or may not set the clock",
		     status->ntpq.selected);
	judge_sources(status);
}

/* ---- the measurement ---------------------------------------------------- */

static void measure(struct status *status)
{
	if (status->server == NULL)
		return;
	size_t count =
		sg_sntp_query(&status->server, 1, &sg_sntp_defaults, status->answers);
	for (size_t i = 0; i < count && status->measured == NULL; i++)
		if (status->answers[i].usable)
			status->measured = &status->answers[i];
	if (status->measured == NULL)
		warn(status, "server-unusable", "%s: %.800s", status->server,
		     count > 0 ? status->answers[0].error.text
		               : "it has no address; see to the name");
	else if (llabs(status->measured->offset) > status->max_offset)
		warn(status, "clock-off",
		     "this host is off by %+.6f s; run skewgate setup --step",
		     (double)status->measured->offset / 1e6);
}

static void examine(struct status *status)
{
	struct sg_error error = {0};

	sg_clock_ask_kernel(&status->clock);
	bool has_ntpd = host_begin(&status->host, &status->report, NULL, NULL, true,
	                           true, &error) == EXIT_DONE;
	if (has_ntpd) {
		judge_daemon(status);
		read_config(status);
	} else {
		warn(status, error.code, "%s", error.text);
		status->server = choose_server(status);
	}
	judge_selection(status);
	measure(status);
	/* Where chrony keeps the clock it is not for us to say. */
	status->daemon_gone = has_ntpd && !sg_process_is_alive(&status->host.ntpd);
	status->healthy = status->asked_ntpd && status->ntpq.selected[0] != '\0' &&
	                  status->ntpq.leap != 3 && status->measured != NULL &&
	                  llabs(status->measured->offset) <= status->max_offset &&
	                  !status->daemon_gone;
}

/* ---- telling ------------------------------------------------------------ */

/* Colour, on a terminal that has not asked for none (no-color.org). */
static const char *paint(const char *code)
{
	return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL ? code : "";
}

static void print_words(const struct status *status)
{
	const struct sg_warnings *warnings = &status->report.warnings;
	const char *daemon = status->report.daemon;

	printf("%s%s%s\n", paint(status->healthy ? "\033[1;32m" : "\033[1;31m"),
	       status->healthy ? "healthy" : "NOT healthy", paint("\033[m"));
	printf("  kernel    %s", sg_clock_state_name(status->clock.state));
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
	const struct sg_warnings *warnings = &status->report.warnings;
	json_t *sources = json_array();
	json_t *told = json_array();
	bool runs = status->host.ntpd.pid != 0;

	for (size_t i = 0; i < status->sources.count; i++)
		json_array_append_new(sources,
		                      string_json(status->sources.items[i].name));
	for (size_t i = 0; i < warnings->count; i++)
		json_array_append_new(told, error_json(&warnings->items[i]));
	return json_pack(
		"{s:b, s:{s:s, s:o}, s:{s:o, s:b, s:o, s:o}, s:{s:o, s:o}, s:o, s:o}",
		"healthy", status->healthy, "clock", "state",
		sg_clock_state_name(status->clock.state), "bound_s",
		status->clock.bounded ? json_real((double)status->clock.bound / 1e6)
							  : json_null(),
		"daemon", "name", string_json(status->report.daemon), "running", runs,
		"pid", runs ? json_integer(status->host.ntpd.pid) : json_null(),
		"selected",
		status->ntpq.selected[0] != '\0' ? json_string(status->ntpq.selected)
										 : json_null(),
		"config", "path", string_json(status->report.config), "sources",
		sources, "measured", measured_json(status->measured), "warnings", told);
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
	if (status->format == JSON)
		return print_json(status_json(status), DIGITS_OF_OFFSET);
	if (status->format == PROMETHEUS)
		print_prometheus(status);
	else
		print_words(status);
	return fflush(stdout);
}

/* ---- the command -------------------------------------------------------- */

/* Leaves the measurement where the gate finds it. */
static int record(const struct status *status)
{
	struct sg_error error = {0};

	if (status->measured == NULL)
		sg_fail(&error, "server-unusable",
		        "nothing was measured, and nothing recorded: %.800s",
		        status->report.warnings.count > 0
		            ? status->report.warnings.items[0].text
		            : "no server is configured");
	else if (sg_clock_store(SG_CLOCK_RECORD, status->measured,
	                        status->daemon_gone, &error) == 0)
		return EXIT_DONE;
	fprintf(stderr, "skewgate: %s [%s]\n", error.text, error.code);
	return EXIT_UNHEALTHY;
}

static int parse_options(struct status *status, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"json", no_argument, NULL, 'j'},
		{"prometheus", no_argument, NULL, 'p'},
		{"record", no_argument, NULL, 'r'},
		{"max-offset", required_argument, NULL, 'm'},
		{NULL, 0, NULL, 0},
	};
	struct sg_error ignored = {0};
	int option = 0;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'j')
			status->format = JSON;
		else if (option == 'p')
			status->format = PROMETHEUS;
		else if (option == 'r')
			status->record = true;
		/* A number of seconds, as times are written. */
		else if (option != 'm' ||
		         sg_time_parse(optarg, &status->max_offset, &ignored) != 0)
			return -1;
	}
	return optind == argc ? 0 : -1;
}

int cmd_status(int argc, char **argv)
{
	static struct status status; /* the answers would strain the stack */

	report_begin(&status.report);
	status.host = NO_HOST;
	status.max_offset = DEFAULT_MAX_OFFSET;
	if (parse_options(&status, argc, argv) != 0)
		return report_usage(&status.report,
		                    "status knows --json, --prometheus, --record and "
		                    "--max-offset SECONDS");
	examine(&status);
	int code = status.healthy ? EXIT_DONE : EXIT_UNHEALTHY;
	if (status.record)
		code = record(&status);
	/* A timer's run says nothing when it has done its work. */
	if ((!status.record || status.format != WORDS) && tell(&status) != 0) {
		fputs("skewgate: the status could not be written\n", stderr);
		code = EXIT_UNHEALTHY;
	}
	sg_ntpconf_sources_free(&status.sources);
	sg_texts_free(&status.ntpq.sources);
	sg_warnings_free(&status.report.warnings);
	free(status.report.config);
	host_close(&status.host);
	return code;
}
