/* SPDX-License-Identifier: MIT */
/*
 * daemon: the ntpd of this host.
 *
 * Which one it is and how it is controlled, what it says of itself, and the
 * step of the clock while it is stopped.
 */
#ifndef SG_DAEMON_H
#define SG_DAEMON_H

#include "lib/process/process.h"

#include <netinet/in.h>

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
	/* The last thing that happened to it (RFC 9327 section 3.1), such as
	 * "freq_mode", or "restart" before it has taken any time; "" when it does
	 * not say. */
	char event[32];
	/* The source marked `*`, else the one marked `o`; "" when none. */
	char selected[INET6_ADDRSTRLEN];
	bool clock; /* `selected` is a reference clock, and may be a name */
	struct sg_texts sources; /* the addresses it has */
};

/* What that comes to. */
enum sg_ntpq_word {
	SG_NTPQ_FOLLOWS,
	/* It has stepped the clock and follows its source, but says leap 11 for
	 * five minutes, in which it measures the clock's frequency. */
	SG_NTPQ_PENDING,
	SG_NTPQ_NOT_SELECTED,
	SG_NTPQ_LEAP_ALARM, /* it has selected a source, and does not follow it */
};

enum sg_ntpq_word sg_ntpq_judge(const struct sg_ntpq *ntpq);

/* Asks the ntpd on 127.0.0.1. Start from zeros; free the sources. Error:
 * ntpq-failed. */
int sg_ntpq_ask(const volatile sig_atomic_t *stop, struct sg_ntpq *ntpq,
                struct sg_error *error);

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
