/*
 * timesync: the host's time service.
 *
 * The only folder that starts programs or opens sockets: which ntpd this host
 * has and how it is controlled, what it says of itself, what a time server
 * says, and the step of the clock.
 */
#ifndef SG_TIMESYNC_H
#define SG_TIMESYNC_H

#include "lib/base/base.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/types.h>

/* ---- command.c ---------------------------------------------------------- */

/* An external program's end. */
struct sg_command {
	int status;     /* its exit status; 128 + signal when killed; -1: not run */
	bool timed_out; /* or stopped by a signal to us; it was killed then */
	char *output;   /* the first of what it wrote to stdout and stderr */
};

/*
 * Runs a program found in the search path, in a process group of its own,
 * without standard input, for at most `limit`; then the whole group is killed,
 * and so it is when this process is killed.
 * When `*stop` becomes nonzero it is killed as well; NULL: not before its time.
 * Its output is the caller's (sg_command_free). Returns 0 when it ran and ended
 * with 0, else -1: command-failed, command-timeout, command-missing.
 */
int sg_command_run(const char *const *arguments, sg_usec limit,
                   const volatile sig_atomic_t *stop,
                   struct sg_command *command, struct sg_error *error);

void sg_command_free(struct sg_command *command);

/* Where the caller's PATH, or else the standard one, has the program, for the
 * caller to free, or NULL. */
char *sg_command_find(const char *name);

/* ---- process.c ---------------------------------------------------------- */

/* A process, told from a later one with the same id by its start. */
struct sg_process {
	pid_t pid;                  /* 0: none */
	unsigned long long started; /* clock ticks since boot, proc(5) */
};

/* The oldest process of that name in our PID namespace; pid 0 when none. */
struct sg_process sg_process_find(const char *name);

/* The process with that id; false when there is none. */
bool sg_process_of(pid_t pid, struct sg_process *process);

bool sg_process_is_alive(const struct sg_process *process);

bool sg_process_is_same(const struct sg_process *one,
                        const struct sg_process *other);

/* Whether it lives, and its program has that name. */
bool sg_process_is_named(const struct sg_process *process, const char *name);

/* The process that started it; 0 when it is gone. */
pid_t sg_process_parent(const struct sg_process *process);

/* Whether it belongs to systemd's control group `group`, or one below it. */
bool sg_process_is_in_group(const struct sg_process *process,
                            const char *group);

typedef bool sg_process_test(const struct sg_process *process,
                             const void *context);

/* The oldest process of that name in our PID namespace that may set the clock
 * (CAP_SYS_TIME) and that `known`, unless NULL, does not know; pid 0 when
 * none. */
struct sg_process sg_process_find_clock(const char *name,
                                        sg_process_test *known,
                                        const void *context);

/* Appends its command line, word by word. Error: options-unreadable, for one
 * that is longer than 8 KiB. */
int sg_process_arguments(const struct sg_process *process,
                         struct sg_texts *arguments, struct sg_error *error);

/* ---- ntpd_options.c ----------------------------------------------------- */

/*
 * Splits ntpd's options, as the variable of a start script's file has them,
 * into words. Error: options-unreadable, for what a shell would change: `$`,
 * quotes and the like. `place` names file and variable.
 */
int sg_ntpd_split_options(const char *place, const char *options,
                          struct sg_texts *words, struct sg_error *error);

/* The config that ntpd's options name, as ntpsec's and the classic ntpd read
 * them (the last -c or --configfile counts); NULL when they name none. */
const char *sg_ntpd_config(const struct sg_texts *words);

/* ---- service.c ---------------------------------------------------------- */

/* How a distribution lays out its ntpd. */
struct sg_layout {
	const char *service;          /* unit without .service, or init script */
	const char *config;           /* what ntpd reads by default */
	const char *defaults;         /* shell assignments of the start script */
	const char *options_variable; /* that holds ntpd's options there */
	const char *pid_file;         /* of the init script */
	const char *dhcp_copy;        /* read instead of the config; or NULL */
	const char *ignore_dhcp;      /* the variable that forbids it; or NULL */
	bool reads_ntp_d; /* reads the directory ntp.d after the config */
};

/* The layouts that are known; the last has service NULL. */
extern const struct sg_layout sg_layouts[];

struct sg_service {
	const struct sg_layout *layout;
	bool systemd; /* else an init script */
	bool enabled; /* started at boot */
	/* The units that were active because of it, or with it, when it was first
	 * stopped or restarted: systemd stops them too. */
	struct sg_texts dependents;
};

/*
 * Finds the host's ntpd and what starts it; the caller frees it. Errors, all of
 * which say what to do: chrony-found, timesyncd-found, ntpd-missing,
 * ntpd-masked, service-missing, service-unknown.
 */
int sg_service_find(struct sg_service *service, struct sg_error *error);

void sg_service_free(struct sg_service *service);

/*
 * The service's own process, pid 0 when it has none: systemd's MainPID, or the
 * process of the init script's pid file if it is an ntpd. Never told by a name
 * alone: another ntpd may run beside it.
 */
struct sg_process sg_service_process(const struct sg_service *service);

/*
 * Makes sure that no ntpd keeps this host's clock beside the service: one that
 * was started by hand would be edited, or started, around. Error:
 * daemon-not-ours, with its process id.
 */
int sg_service_refuse_others(const struct sg_service *service,
                             struct sg_error *error);

/* Whether policy-rc.d lets us do `action`; asked only without systemd, which
 * invoke-rc.d(8) would do. */
bool sg_service_may(const struct sg_service *service, const char *action);

/* Makes it start at boot. Error: service-not-enabled. */
int sg_service_enable(const struct sg_service *service, struct sg_error *error);

/* Stops ntpd; 0 when no process of it is left. Error: ntpd-not-stopped. */
int sg_service_stop(struct sg_service *service, struct sg_error *error);

/*
 * Starts, or restarts, ntpd; 0 when a new process of the service is alive and
 * stays so for a second, whatever the exit status of the command was. Error:
 * ntpd-died, with the command's last words.
 */
int sg_service_start(struct sg_service *service, struct sg_process *process,
                     struct sg_error *error);
int sg_service_restart(struct sg_service *service, struct sg_process *process,
                       struct sg_error *error);

/*
 * Waits for the process that somebody else's restart has put in the place of
 * `former`: true when the service has another one within five seconds, which
 * stays for one.
 */
bool sg_service_adopt(const struct sg_service *service,
                      const struct sg_process *former,
                      struct sg_process *process);

/*
 * Starts the units again that went down with the service, and appends their
 * names to `started`. Warning: dependent-stopped, for one that does not come
 * up.
 */
void sg_service_restore(const struct sg_service *service,
                        struct sg_texts *started, struct sg_warnings *warnings);

/* The last lines that ntpd logged, for the caller to free, or NULL. `log_file`
 * is what its config names, or NULL. */
char *sg_service_log(const struct sg_service *service, const char *log_file);

/* ---- ntpq.c ------------------------------------------------------------- */

/* What ntpd says of itself (ntpq(1)). */
struct sg_ntpq {
	int leap; /* RFC 5905 leap indicator; 3: not synchronised */
	/* The last thing that happened to it (RFC 9327 section 3.1): "freq_mode"
	 * while it measures the clock's frequency, "restart" before it has taken
	 * any time; "" when it does not say. */
	char event[32];
	/* The source marked `*`, else the one marked `o`; "" when none. */
	char selected[INET6_ADDRSTRLEN];
	bool clock; /* `selected` is a reference clock, and may be a name */
	struct sg_texts sources; /* the addresses it has */
};

/* Asks the ntpd on 127.0.0.1. Start from zeros; free the sources. Error:
 * ntpq-failed. */
int sg_ntpq_ask(const volatile sig_atomic_t *stop, struct sg_ntpq *ntpq,
                struct sg_error *error);

/* ---- sntp.c ------------------------------------------------------------- */

#define SG_NTP_PORT 123

/* Most addresses that one query asks. */
#define SG_MAX_ADDRESSES 32

struct sg_sntp_options {
	unsigned samples;
	sg_usec limit; /* for all servers together */
	uint16_t port;
};

/* Four samples, five seconds, port 123. */
extern const struct sg_sntp_options sg_sntp_defaults;

/* One address's answer: the sample with the least delay. */
struct sg_sntp_answer {
	const char *server; /* as given */
	char address[INET6_ADDRSTRLEN];
	bool usable;           /* else only `error` and the two above are set */
	sg_usec offset;        /* server - host: positive when the host is behind */
	sg_usec delay;         /* round trip */
	sg_usec root_distance; /* RFC 5905 section 11.2: the most it can be off */
	int stratum;
	int leap; /* 0, 1 or 2: a leap second is announced */
	struct sg_error error;
};

/*
 * Asks every address of every server (RFC 5905 section 14, RFC 4330), all at
 * once; at most SG_MAX_ADDRESSES, which `answers` has room for. An address that
 * cannot be reached is tried again until the limit, except when another one of
 * its server (the same pointer) gives the time. Believed is only what can be.
 * Returns how many were asked. Codes of an answer's error: no-answer,
 * unreachable, unknown-name, kiss-of-death, not-synchronised, bad-reply,
 * too-distant.
 */
size_t sg_sntp_query(const char *const *servers, size_t count,
                     const struct sg_sntp_options *options,
                     struct sg_sntp_answer *answers);

/* Whether this host has a way to the numeric address, by connect(2) of a
 * datagram socket, which sends nothing. */
bool sg_sntp_has_route(const char *address);

/* ---- clock.c ------------------------------------------------------------ */

/* Where `skewgate status --record` leaves what it measured. */
#define SG_CLOCK_RECORD "/run/skewgate/clock.json"

/* Most that a clock may be off to count as synchronised: ntpd's own step
 * threshold (ntp.conf(5), tinker step). */
#define SG_SYNCHRONISED_OFFSET ((sg_usec)128000)

enum sg_clock_state {
	SG_CLOCK_UNKNOWN,
	SG_CLOCK_SYNCHRONISED,
	SG_CLOCK_UNSYNCHRONISED,
};

/* What this host's clock is worth. */
struct sg_clock {
	enum sg_clock_state state;
	bool measured;  /* `offset` is from a fresh record; else it is 0 */
	sg_usec offset; /* server - host: positive when this host is behind */
	bool bounded;   /* `bound` is known: the most that offset is wrong by */
	sg_usec bound;
	bool daemon_gone;       /* ntpd did not run when it was measured */
	struct sg_error record; /* why there is no fresh record */
};

/* "synchronised", "unsynchronised" or "unknown". */
const char *sg_clock_state_name(enum sg_clock_state state);

/*
 * The kernel's word (adjtimex(2) with modes 0, which needs no privilege): it is
 * synchronised while the error that it reckons with is below 16 s. Where it may
 * not be asked nothing is known. An estimate of zero is none, and no bound:
 * systemd-timesyncd writes that. Nor is one of 16 µs, with which ntpd starts: a
 * kernel that has it calls itself synchronised while ntpd follows nobody.
 */
void sg_clock_ask_kernel(struct sg_clock *clock);

/*
 * The host's clock by the record, when that is fresh: of this boot and less
 * than 300 s old. A step since then is seen, and corrected for. Otherwise the
 * kernel's word, and `record` says why: record-missing, record-stale,
 * record-malformed, or the code of sg_trusted_read.
 */
void sg_clock_judge(const char *record, struct sg_clock *clock);

/*
 * Writes a measurement as the record, atomically, and whether ntpd was gone
 * then: a clock that nobody keeps is not synchronised, however right it still
 * is. Error: file-unwritable.
 */
int sg_clock_store(const char *record, const struct sg_sntp_answer *answer,
                   bool daemon_gone, struct sg_error *error);

/* ---- step.c ------------------------------------------------------------- */

enum sg_step {
	SG_STEP_OFF,
	SG_STEP_AUTO, /* ntpdate when installed, else our own */
	SG_STEP_NTPDATE,
	SG_STEP_BUILTIN,
};

/*
 * Sets the clock to `address`'s time at once; ntpd must be stopped. Whether it
 * worked tells only a new measurement. When `*stop` becomes nonzero the clock
 * is not set any more; NULL: it never does. `*done` names the method. Error:
 * step-failed.
 */
int sg_step_clock(enum sg_step method, const char *address,
                  const volatile sig_atomic_t *stop, const char **done,
                  struct sg_error *error);

#endif
