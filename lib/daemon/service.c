/* SPDX-License-Identifier: MIT */
/*
 * The service that runs ntpd: found, started, stopped, and never believed.
 *
 * Exit codes of systemctl and of init scripts lie: a restart ends with 0 though
 * ntpd died at once, or though nothing was done at all (in a chroot, or by a
 * unit's Condition). What counts is a new process that stays alive.
 */
#include "daemon.h"

#include <ctype.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Debian's init script waits up to 35 s for ntpd to stop, then sleeps 2 s. */
#define COMMAND_LIMIT (60 * SG_SECOND)
#define QUESTION_LIMIT (10 * SG_SECOND)

/* How long a new process may take to appear, and must stay, to count. */
#define APPEAR_LIMIT (5 * SG_SECOND)
#define SETTLE_TIME SG_SECOND
#define STOP_LIMIT (10 * SG_SECOND)
#define POLL_INTERVAL (SG_SECOND / 10)

/* Most units that are started again after ntpd: more depend on no ntpd. */
#define MAX_DEPENDENTS 64

#define LOG_TAIL 600

const struct sg_layout sg_layouts[] = {
	{
		.service = "ntpsec", /* Debian 12 and later, Ubuntu 24.04 and later */
		.config = "/etc/ntpsec/ntp.conf",
		.defaults = "/etc/default/ntpsec",
		.options_variable = "NTPD_OPTS",
		.pid_file = "/run/ntpd.pid",
		.dhcp_copy = "/run/ntpsec/ntp.conf.dhcp",
		.ignore_dhcp = "IGNORE_DHCP",
		.reads_ntp_d = true,
	},
	{
		.service = "ntp", /* Debian up to 11, Ubuntu up to 22.04 */
		.config = "/etc/ntp.conf",
		.defaults = "/etc/default/ntp",
		.options_variable = "NTPD_OPTS",
		.pid_file = "/run/ntpd.pid",
		.dhcp_copy = "/run/ntp.conf.dhcp",
	},
	{
		.service = "ntpd", /* Enterprise Linux */
		.config = "/etc/ntp.conf",
		.defaults = "/etc/sysconfig/ntpd",
		.options_variable = "OPTIONS",
		.pid_file = "/var/run/ntpd.pid",
		.reads_ntp_d = true,
	},
	{.service = NULL},
};

/* ---- finding it --------------------------------------------------------- */

static bool is_running(const char *name)
{
	return sg_process_find(name).pid != 0;
}

static bool is_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
}

/* No ntpd: says which other daemon keeps the time here, and what to do. One
 * that runs counts before one that is merely installed. */
static int fail_without_ntpd(struct sg_error *error)
{
	bool timesyncd = is_running("systemd-timesyn");
	bool chrony = is_running("chronyd");

	if (!timesyncd && !chrony) {
		chrony = access("/usr/sbin/chronyd", X_OK) == 0;
		timesyncd = access("/lib/systemd/systemd-timesyncd", X_OK) == 0;
	}
	if (chrony)
		return sg_fail(
			error, "chrony-found",
			"this host keeps its time with chrony, not ntpd; add \"server "
			"169.254.169.123 prefer iburst minpoll 4 maxpoll 4\" to its "
			"chrony.conf and restart it, or install ntpsec in its place");
	if (timesyncd)
		return sg_fail(
			error, "timesyncd-found",
			"this host keeps its time with systemd-timesyncd, not ntpd; set "
			"NTP=169.254.169.123 in /etc/systemd/timesyncd.conf and restart "
			"it, or install ntpsec in its place");
	return sg_fail(error, "ntpd-missing",
	               "no ntpd is installed; install the package ntpsec (or ntp) "
	               "and run skewgate setup");
}

static const struct sg_layout *layout_named(const char *service, size_t length)
{
	for (const struct sg_layout *layout = sg_layouts; layout->service != NULL;
	     layout++)
		if (strlen(layout->service) == length &&
		    memcmp(layout->service, service, length) == 0)
			return layout;
	return NULL;
}

/* One unit's block of `systemctl show`, key=value lines. */
struct unit {
	char id[128];
	char load[32];
	char active[32];
	char file[32];
	char pid[32];
	char group[512];
};

#define UNIT_PROPERTIES                                                        \
	"--property=Id,LoadState,ActiveState,UnitFileState,MainPID,ControlGroup"

static void read_property(const char *line, struct unit *unit)
{
	const struct {
		const char *key;
		char *value;
		size_t size;
	} table[] = {
		{"Id=", unit->id, sizeof unit->id},
		{"LoadState=", unit->load, sizeof unit->load},
		{"ActiveState=", unit->active, sizeof unit->active},
		{"UnitFileState=", unit->file, sizeof unit->file},
		{"MainPID=", unit->pid, sizeof unit->pid},
		{"ControlGroup=", unit->group, sizeof unit->group},
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strncmp(line, table[i].key, strlen(table[i].key)) == 0)
			snprintf(table[i].value, table[i].size, "%s",
			         line + strlen(table[i].key));
}

/* Shows the state of `name`; an alias gives the real unit's. */
static int show_unit(const char *name, struct unit *unit,
                     struct sg_error *error)
{
	char full[64];
	const char *const arguments[] = {"systemctl", "show", UNIT_PROPERTIES, full,
	                                 NULL};
	struct sg_command command;
	struct sg_error reason = {0};
	char *rest = NULL;

	*unit = (struct unit){0};
	snprintf(full, sizeof full, "%s.service", name);
	int failed =
		sg_command_run(arguments, QUESTION_LIMIT, NULL, &command, &reason);
	if (failed != 0)
		sg_fail(error, "service-unknown",
		        "systemd cannot be asked for %s: %.600s", full, reason.text);
	else
		for (char *line = strtok_r(command.output, "\n", &rest); line != NULL;
		     line = strtok_r(NULL, "\n", &rest))
			read_property(line, unit);
	sg_command_free(&command);
	return failed;
}

/* The layout that the unit belongs to by its Id: the name may be an alias of
 * some other program's. */
static const struct sg_layout *layout_of_unit(const struct unit *unit)
{
	const char *suffix = strstr(unit->id, ".service");

	return strcmp(unit->load, "loaded") != 0 || suffix == NULL
	           ? NULL
	           : layout_named(unit->id, (size_t)(suffix - unit->id));
}

/* Which unit it is, when a host has several: the one that runs, then the one
 * that is enabled, then the first. */
static int rank_of_unit(const struct unit *unit)
{
	return strtol(unit->pid, NULL, 10) > 0       ? 3
	       : strcmp(unit->file, "disabled") != 0 ? 2
	                                             : 1;
}

static int find_unit(struct sg_service *service, struct sg_error *error)
{
	char masked[64] = "";
	int best = 0;

	for (const struct sg_layout *layout = sg_layouts; layout->service != NULL;
	     layout++) {
		struct unit unit;

		if (show_unit(layout->service, &unit, error) != 0)
			return -1;
		if (strcmp(unit.load, "masked") == 0 && masked[0] == '\0')
			snprintf(masked, sizeof masked, "%s", layout->service);
		const struct sg_layout *real = layout_of_unit(&unit);
		int rank = rank_of_unit(&unit);
		if (real == NULL || rank <= best)
			continue;
		best = rank;
		service->layout = real;
		service->systemd = true;
		service->enabled = strcmp(unit.file, "disabled") != 0;
	}
	if (best > 0)
		return 0;
	if (masked[0] != '\0')
		return sg_fail(
			error, "ntpd-masked",
			"%s.service is masked, so that ntpd may not run; allow it with "
			"\"systemctl unmask %s\" and run skewgate setup again",
			masked, masked);
	return sg_fail(error, "service-missing",
	               "ntpd is installed, but systemd has no ntpsec, ntp or ntpd "
	               "unit; install the distribution's package");
}

static bool is_linked_at_boot(const char *name)
{
	char pattern[128];
	glob_t found;

	snprintf(pattern, sizeof pattern, "/etc/rc[2-5].d/S[0-9][0-9]%s", name);
	bool linked = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;
	globfree(&found);
	return linked;
}

static int find_script(struct sg_service *service, struct sg_error *error)
{
	for (const struct sg_layout *layout = sg_layouts; layout->service != NULL;
	     layout++) {
		char path[128];

		snprintf(path, sizeof path, "/etc/init.d/%s", layout->service);
		if (access(path, X_OK) != 0)
			continue;
		service->layout = layout;
		service->systemd = false;
		service->enabled = is_linked_at_boot(layout->service);
		return 0;
	}
	return sg_fail(
		error, "service-missing",
		"ntpd is installed, but /etc/init.d has no ntpsec, ntp or ntpd; use "
		"--config FILE --no-restart, and restart it yourself");
}

/* ---- its process -------------------------------------------------------- */

/* What the service says of itself. */
struct state {
	struct sg_process process; /* pid 0: none */
	bool up;                   /* systemd calls it active; always, without */
	char group[512];           /* systemd's control group, or "" */
};

/* The process that a pid file names, if it has that program's name; the file
 * may be older than the process. */
static struct sg_process read_pid_file(const char *path, const char *name)
{
	const struct sg_process none = {0};
	struct sg_process process = {0};
	char text[16] = "";
	char *end = NULL;

	sg_auto_close int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file < 0 || read(file, text, sizeof text - 1) <= 0 ||
	    !isdigit((unsigned char)text[0]))
		return none;
	pid_t pid = (pid_t)strtol(text, &end, 10);
	if ((*end != '\0' && *end != '\n') || pid <= 0 ||
	    !sg_process_of(pid, &process) || !sg_process_is_named(&process, name))
		return none;
	return process;
}

static void ask_state(const struct sg_service *service, struct state *state)
{
	struct unit unit;
	struct sg_error ignored = {0};

	*state = (struct state){.up = true};
	if (!service->systemd) {
		state->process = read_pid_file(service->layout->pid_file, "ntpd");
		return;
	}
	state->up = show_unit(service->layout->service, &unit, &ignored) == 0 &&
	            strcmp(unit.active, "active") == 0;
	pid_t pid = (pid_t)strtol(unit.pid, NULL, 10);
	if (pid > 0 && !sg_process_of(pid, &state->process))
		state->process = (struct sg_process){0};
	memcpy(state->group, unit.group, sizeof state->group);
}

struct sg_process sg_service_process(const struct sg_service *service)
{
	struct state state;

	ask_state(service, &state);
	return state.process;
}

/* Whether the process is the service's own, a child of that, or in its control
 * group. */
static bool is_own(const struct sg_process *process, const void *context)
{
	const struct state *state = context;
	pid_t main = state->process.pid;

	return (main != 0 &&
	        (process->pid == main || sg_process_parent(process) == main)) ||
	       sg_process_is_in_group(process, state->group);
}

int sg_service_refuse_others(const struct sg_service *service,
                             struct sg_error *error)
{
	const char *name = service->layout->service;
	struct state state;

	struct sg_process other;
	sg_usec end = sg_time_elapsed() + SETTLE_TIME;

	/* The service may be starting it: its pid is not written down at once. */
	for (;;) {
		ask_state(service, &state);
		other = sg_process_find_clock("ntpd", is_own, &state);
		if (other.pid == 0 || sg_time_elapsed() >= end)
			break;
		sg_time_sleep(POLL_INTERVAL);
	}
	if (other.pid == 0)
		return 0;
	return sg_fail(
		error, "daemon-not-ours",
		"process %ld is an ntpd that keeps this host's clock, but %s%s "
		"has not started it; stop it with \"kill %ld\" and run "
		"skewgate setup again, or use --config FILE --no-restart",
		(long)other.pid, service->systemd ? name : "the init script ",
		service->systemd ? ".service" : name, (long)other.pid);
}

int sg_service_find(struct sg_service *service, struct sg_error *error)
{
	sg_auto_free char *program = sg_command_find("ntpd");

	if (program == NULL || (is_running("chronyd") && !is_running("ntpd")))
		return fail_without_ntpd(error);
	return is_systemd() ? find_unit(service, error)
	                    : find_script(service, error);
}

void sg_service_free(struct sg_service *service)
{
	sg_texts_free(&service->dependents);
	*service = (struct sg_service){0};
}

/* ---- controlling it ----------------------------------------------------- */

/* Runs `systemctl ACTION UNIT`, or the init script. */
static int run_action(const struct sg_service *service, const char *action,
                      struct sg_command *command, struct sg_error *error)
{
	char name[128];

	if (service->systemd) {
		const char *const arguments[] = {"systemctl", action, name, NULL};

		snprintf(name, sizeof name, "%s.service", service->layout->service);
		return sg_command_run(arguments, COMMAND_LIMIT, NULL, command, error);
	}
	const char *const arguments[] = {name, action, NULL};

	snprintf(name, sizeof name, "/etc/init.d/%s", service->layout->service);
	return sg_command_run(arguments, COMMAND_LIMIT, NULL, command, error);
}

bool sg_service_may(const struct sg_service *service, const char *action)
{
	/* /usr/share/doc/sysv-rc: forbidden, its two failures, and "do something
	 * else instead", which we cannot. */
	static const int refusals[] = {101, 102, 103, 106};
	const char *const arguments[] = {"/usr/sbin/policy-rc.d",
	                                 service->layout->service, action, NULL};
	struct sg_command command;
	struct sg_error ignored = {0};
	bool allowed = true;

	if (service->systemd || access(arguments[0], X_OK) != 0)
		return true;
	sg_command_run(arguments, QUESTION_LIMIT, NULL, &command, &ignored);
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
		allowed = allowed && command.status != refusals[i];
	sg_command_free(&command);
	return allowed;
}

int sg_service_enable(const struct sg_service *service, struct sg_error *error)
{
	const char *name = service->layout->service;
	const char *const defaults[] = {"update-rc.d", name, "defaults", NULL};
	const char *const enable[] = {"update-rc.d", name, "enable", NULL};
	struct sg_command command;
	struct sg_error reason = {0};
	bool enabled = false;

	if (service->systemd) {
		struct unit unit;

		run_action(service, "enable", &command, &reason);
		sg_command_free(&command);
		enabled = show_unit(name, &unit, error) == 0 &&
		          strcmp(unit.file, "disabled") != 0;
	} else {
		sg_command_run(defaults, QUESTION_LIMIT, NULL, &command, &reason);
		sg_command_free(&command);
		sg_command_run(enable, QUESTION_LIMIT, NULL, &command, &reason);
		sg_command_free(&command);
		enabled = is_linked_at_boot(name);
	}
	if (enabled)
		return 0;
	return sg_fail(error, "service-not-enabled",
	               "%s could not be enabled, ntpd will not start at the next "
	               "boot; enable it by hand%s%.600s",
	               name, reason.text[0] != '\0' ? ": " : "", reason.text);
}

/* ---- what goes down with it --------------------------------------------- */

static bool has_text(const struct sg_texts *texts, const char *text)
{
	for (size_t i = 0; i < texts->count; i++)
		if (strcmp(texts->items[i], text) == 0)
			return true;
	return false;
}

/* Runs `systemctl OPTIONS UNITS`. */
static int run_systemctl(const char *const *options, size_t count,
                         const struct sg_texts *units, sg_usec limit,
                         struct sg_command *command)
{
	const char *arguments[8 + MAX_DEPENDENTS] = {"systemctl"};
	struct sg_error ignored = {0};
	size_t used = 1;

	for (size_t i = 0; i < count; i++)
		arguments[used++] = options[i];
	for (size_t i = 0; i < units->count && i < MAX_DEPENDENTS; i++)
		arguments[used++] = units->items[i];
	return sg_command_run(arguments, limit, NULL, command, &ignored);
}

/* Adds to `units` those that systemd would stop with one of them. */
static void add_dependents(struct sg_texts *units)
{
	static const char *const options[] = {
		"show", "--property=RequiredBy,BoundBy,ConsistsOf,RequisiteOf"};
	struct sg_command command;
	char *rest = NULL;

	if (run_systemctl(options, 2, units, QUESTION_LIMIT, &command) == 0)
		for (char *word = strtok_r(command.output, "=\n ", &rest); word != NULL;
		     word = strtok_r(NULL, "=\n ", &rest))
			/* Properties' names have no dot, units' names do. */
			if (strchr(word, '.') != NULL && units->count < MAX_DEPENDENTS &&
			    !has_text(units, word))
				sg_texts_add(units, "%s", word);
	sg_command_free(&command);
}

/* Appends those of `units` that are active; or those that are `down` and that
 * systemd is not about to start by itself. */
static void select_units(const struct sg_texts *units, bool down,
                         struct sg_texts *selected)
{
	static const char *const options[] = {"show",
	                                      "--property=Id,ActiveState,Job"};
	struct sg_command command;
	char id[128] = "";
	bool counts = false;

	if (units->count == 0)
		return;
	run_systemctl(options, 2, units, QUESTION_LIMIT, &command);
	/* Each unit's lines end with an empty one. */
	for (char *line = command.output; line != NULL;) {
		char *end = strchr(line, '\n');

		if (end != NULL)
			*end++ = '\0';
		if (strncmp(line, "Id=", 3) == 0)
			snprintf(id, sizeof id, "%s", line + 3);
		else if (strncmp(line, "ActiveState=", 12) == 0)
			counts = down ? strcmp(line + 12, "inactive") == 0 ||
			                    strcmp(line + 12, "failed") == 0
			              : strcmp(line + 12, "active") == 0;
		else if (strncmp(line, "Job=", 4) == 0 && down)
			counts = counts && strtol(line + 4, NULL, 10) == 0;
		if (line[0] == '\0') {
			if (counts && id[0] != '\0' && !has_text(selected, id))
				sg_texts_add(selected, "%s", id);
			id[0] = '\0';
			counts = false;
		}
		line = end;
	}
	sg_command_free(&command);
}

/* systemd stops the units that require this one, and what requires those. */
static void remember_dependents(struct sg_service *service)
{
	struct sg_texts units = {0};
	size_t before = 0;

	if (!service->systemd || service->dependents.count > 0 ||
	    sg_texts_add(&units, "%s.service", service->layout->service) != 0)
		return;
	while (units.count > before) {
		before = units.count;
		add_dependents(&units);
	}
	/* The first is ntpd's own. */
	const struct sg_texts others = {.items = units.items + 1,
	                                .count = units.count - 1};
	select_units(&others, false, &service->dependents);
	sg_texts_free(&units);
}

void sg_service_restore(const struct sg_service *service,
                        struct sg_texts *started, struct sg_warnings *warnings)
{
	static const char *const forget[] = {"reset-failed"};
	static const char *const start[] = {"start"};
	struct sg_texts down = {0};
	struct sg_texts left = {0};
	struct sg_command command;

	select_units(&service->dependents, true, &down);
	if (down.count > 0) {
		run_systemctl(forget, 1, &down, QUESTION_LIMIT, &command);
		sg_command_free(&command);
		/* One that takes longer goes on without us. */
		run_systemctl(start, 1, &down, QUESTION_LIMIT, &command);
		sg_command_free(&command);
		select_units(&down, true, &left);
	}
	for (size_t i = 0; i < down.count; i++)
		if (!has_text(&left, down.items[i]))
			sg_texts_add(started, "%s", down.items[i]);
		else
			sg_warn(warnings, "dependent-stopped",
			        "%s went down with %s and does not start again; look at "
			        "\"systemctl status %s\"",
			        down.items[i], service->layout->service, down.items[i]);
	sg_texts_free(&down);
	sg_texts_free(&left);
}

/* ---- stop and start ----------------------------------------------------- */

int sg_service_stop(struct sg_service *service, struct sg_error *error)
{
	struct sg_process former = sg_service_process(service);
	struct sg_command command;
	struct sg_error reason = {0};

	remember_dependents(service);
	run_action(service, "stop", &command, &reason);
	sg_command_free(&command);
	sg_usec end = sg_time_elapsed() + STOP_LIMIT;
	/* An init script may have lost the one it started. */
	while (sg_process_is_alive(&former) ||
	       sg_process_find_clock("ntpd", NULL, NULL).pid != 0) {
		if (sg_time_elapsed() >= end)
			return sg_fail(
				error, "ntpd-not-stopped",
				"ntpd does not stop; the clock was not stepped%s%.600s",
				reason.text[0] != '\0' ? ": " : "", reason.text);
		sg_time_sleep(POLL_INTERVAL);
	}
	return 0;
}

/* Waits for a process of the service that is not `former`, and that stays. */
static bool await_process(const struct sg_service *service,
                          const struct sg_process *former,
                          struct sg_process *process)
{
	sg_usec end = sg_time_elapsed() + APPEAR_LIMIT;
	struct state state;

	do {
		ask_state(service, &state);
		*process = state.process;
		if (process->pid != 0 && !sg_process_is_same(process, former)) {
			sg_usec settled = sg_time_elapsed() + SETTLE_TIME;

			while (sg_process_is_alive(process) && sg_time_elapsed() < settled)
				sg_time_sleep(POLL_INTERVAL);
			ask_state(service, &state);
			if (state.up && sg_process_is_same(process, &state.process) &&
			    sg_process_is_alive(process))
				return true;
		}
		sg_time_sleep(POLL_INTERVAL);
	} while (sg_time_elapsed() < end);
	*process = (struct sg_process){0};
	return false;
}

/* systemd counts starts: the sixth in ten seconds fails, however good the
 * config is. */
static void forget_failures(const struct sg_service *service)
{
	struct sg_command command;
	struct sg_error ignored = {0};

	if (!service->systemd)
		return;
	run_action(service, "reset-failed", &command, &ignored);
	sg_command_free(&command);
}

static int bring_up(struct sg_service *service, const char *action,
                    struct sg_process *process, struct sg_error *error)
{
	struct sg_process former = {0};
	struct sg_command command;
	struct sg_error reason = {0};

	/* A start finds the daemon that is there already good enough. */
	if (strcmp(action, "start") != 0) {
		former = sg_service_process(service);
		remember_dependents(service);
	}
	forget_failures(service);
	run_action(service, action, &command, &reason);
	bool up = await_process(service, &former, process);
	if (!up)
		sg_fail(error, "ntpd-died",
		        "ntpd did not come up: \"%s %s\" ended with status %d%s%.500s",
		        service->layout->service, action, command.status,
		        command.output != NULL && command.output[0] != '\0' ? ": " : "",
		        command.output != NULL ? command.output : "");
	sg_command_free(&command);
	return up ? 0 : -1;
}

int sg_service_start(struct sg_service *service, struct sg_process *process,
                     struct sg_error *error)
{
	return bring_up(service, "start", process, error);
}

int sg_service_restart(struct sg_service *service, struct sg_process *process,
                       struct sg_error *error)
{
	return bring_up(service, "restart", process, error);
}

bool sg_service_adopt(const struct sg_service *service,
                      const struct sg_process *former,
                      struct sg_process *process)
{
	return await_process(service, former, process);
}

/* ---- its log ------------------------------------------------------------ */

/* The last lines of `text` that fit, made one line. */
static char *tail_of(char *text)
{
	size_t length = strlen(text);
	const char *start = text + (length > LOG_TAIL ? length - LOG_TAIL : 0);
	const char *newline = start == text ? NULL : strchr(start, '\n');
	char *tail = strdup(newline != NULL ? newline + 1 : start);

	for (char *byte = tail; byte != NULL && *byte != '\0'; byte++)
		if (*byte == '\n')
			*byte = byte[1] == '\0' ? '\0' : '|';
	return tail;
}

char *sg_service_log(const struct sg_service *service, const char *log_file)
{
	char unit[128];
	const char *const journal[] = {"journalctl", "--no-pager", "--output=cat",
	                               "--lines=8",  "--unit",     unit,
	                               NULL};
	const char *const file[] = {"tail", "--lines=8", log_file, NULL};
	struct sg_command command;
	struct sg_error ignored = {0};
	char *tail = NULL;

	if (!service->systemd && log_file == NULL)
		return NULL;
	snprintf(unit, sizeof unit, "%s.service", service->layout->service);
	if (sg_command_run(log_file != NULL ? file : journal, QUESTION_LIMIT, NULL,
	                   &command, &ignored) == 0)
		tail = tail_of(command.output);
	sg_command_free(&command);
	return tail;
}
