/* SPDX-License-Identifier: MIT */
/*
 * tools: the program `skewgate`.
 *
 * One file for each command; what they share is the report that a run ends
 * with, the host that a run is about, and the change that it makes.
 */
#ifndef SG_TOOLS_H
#define SG_TOOLS_H

#include "lib/base/base.h"
#include "lib/clock/clock.h"
#include "lib/daemon/daemon.h"
#include "lib/ntpconf/ntpconf.h"
#include "lib/sntp/sntp.h"
#include "options.h"

#include <jansson.h>

/* Exit codes; skewgate(8) says what each leaves behind. */
enum {
	EXIT_DONE = 0,
	EXIT_INTERNAL = 1,
	EXIT_USAGE = 2,
	EXIT_CONFIG = 3,
	EXIT_NO_ANSWER = 4,
	EXIT_ROLLED_BACK = 5,
	EXIT_NOT_SYNCHRONISED = 6,
	EXIT_LOCKED = 7,
	EXIT_STEP_FAILED = 8,
	EXIT_NO_NTPD = 9,
};

/* The commands: each returns the exit code. */
int cmd_setup(const struct options *options);
int cmd_revert(const struct options *options);
int cmd_query(const struct options *options);
int cmd_explain(const struct options *options);
int cmd_skew(const struct options *options);
int cmd_status(const struct options *options);

/* ---- report.c ----------------------------------------------------------- */

enum answer { UNKNOWN, YES, NO };

/* Which text the config has: as it was, as it was planned, or somebody else's.
 */
enum config_state { CONFIG_OLD, CONFIG_NEW, CONFIG_FOREIGN };

/* What a run of setup or revert found and did. Start with report_begin. */
struct report {
	bool json;
	bool quiet;
	bool verbose;
	bool dry_run;
	bool changed; /* the run changed a file */
	enum config_state state;
	const char *daemon; /* the service's name */
	char *config;
	char *block;
	char *diff;
	struct sg_texts disabled;
	struct sg_texts actions;
	bool before_known;
	sg_usec offset_before;
	bool after_known;
	sg_usec offset_after;
	enum answer synchronised;
	const char *why; /* a code, when it is not synchronised */
	sg_usec started;
	struct sg_warnings warnings;
	struct sg_error error;      /* code "" when there is none */
	char summary[SG_TEXT_SIZE]; /* the sentence that a success ends with */
};

void report_begin(struct report *report, const struct options *options);

/* Tells a step that is about to be taken, under --verbose. */
void report_step(const struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Notes something that was done to the host. */
void report_action(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Whether the descriptor is a terminal that can do more than a typewriter. */
bool is_terminal(int descriptor);

/* Shows how a wait goes, on a terminal; a NULL text clears the line. */
void report_progress(const struct report *report, const char *text);

/* Prints the whole, as words or JSON, frees it, and returns `code`: what became
 * of the host counts, also when the report cannot be written. A dry run is its
 * report: EXIT_INTERNAL then. */
int report_end(struct report *report, int code);

/* Makes `error` the report's. Returns `code`, but EXIT_INTERNAL for an internal
 * error, wherever it came from. */
int report_fail(struct report *report, int code, const struct sg_error *error);

/* Prints a usage error and the way to the command's help. Returns EXIT_USAGE.
 */
int report_usage(const struct options *options, const char *command,
                 const struct sg_error *error);

/* {code, text}, or null when there is none. */
json_t *error_json(const struct sg_error *error);

/* The warnings as an array of {code, text}. */
json_t *warnings_json(const struct sg_warnings *warnings);

/* The only kind of time daemon that is configured. */
#define DAEMON_KIND "ntpd"

/* Digits of a number that is no integer: of an offset or a delay, and of a time
 * since the epoch to the microsecond. */
enum { DIGITS_OF_OFFSET = 9, DIGITS_OF_TIME = 16 };

/* Prints a JSON value on stdout and frees it. Returns 0 or -1. */
int print_json(json_t *value, size_t digits);

/* ---- host.c ------------------------------------------------------------- */

/* What this run is about: the host, or the tree of an image. */
struct host {
	const char *root_path; /* NULL: the running host */
	int root;              /* -1: the running host */
	int lock;
	struct sg_service service; /* layout NULL when not looked for */
	struct sg_process ntpd;    /* that reads the config; pid 0: none */
	char *config;              /* what ntpd really reads, but for DHCP */
	bool is_live;    /* the host's ntpd, or the tree's, reads that file */
	char *dhcp_copy; /* what it reads instead; or NULL */
};

#define NO_HOST ((struct host){.root = -1, .lock = -1})

/* What a run is going to do. */
enum {
	HOST_RESTARTS = 1, /* restart ntpd: it has to read the config, as root */
	HOST_LOOKS = 2,    /* look only: it takes no lock, and anybody may */
};

/*
 * Begins a run that is going to `use` the host so: opens the tree, takes the
 * lock, and finds the config, which is `config` when it is given, else the one
 * that ntpd reads; the report tells it. Returns an exit code.
 */
int host_begin(struct host *host, struct report *report, const char *root_path,
               const char *config, unsigned use, struct sg_error *error);

/* The files that ntpd reads besides the config, in its order. */
struct included {
	struct sg_ntpconf_included
		*items; /* a file is in pieces, where it includes */
	size_t count;
	size_t files;
};

int host_read_included(const struct host *host, const struct sg_file *main,
                       struct included *included, struct sg_error *error);
void included_free(struct included *included);

void host_close(struct host *host);

/* ---- state.c ------------------------------------------------------------ */

/* Keeps the bytes of the config before skewgate touched it. */
int state_keep_original(const struct host *host, const struct sg_file *file,
                        struct sg_error *error);

/* Notes that the ntpd which runs now has not read the config that is about to
 * be written; drops that note; and asks whether the running one is still that
 * one. */
int state_note_unread(const struct host *host, struct sg_error *error);
void state_drop_unread(void);
bool state_is_unread(const struct host *host);

/* Keeps, and gives back, the value that --override-dhcp replaced. `*value` is
 * NULL when the variable was not set; `*known` says whether one was kept. */
int state_keep_override(const struct host *host, const char *file,
                        const char *variable, const char *value,
                        struct sg_error *error);
int state_read_override(const struct host *host, bool *known, char **file,
                        char **variable, char **value, struct sg_error *error);
int state_drop_override(const struct host *host, struct sg_error *error);

/* ---- proof.c ------------------------------------------------------------ */

/* What several answers together say. */
struct consensus {
	/* The one with the least root distance of those whose intervals (offset ±
	 * root distance) meet, where most do; NULL: no answer is usable. */
	const struct sg_sntp_answer *best;
	bool majority; /* more than half of the usable answers meet there */
	const struct sg_sntp_answer *dissenter; /* one that does not, or NULL */
};

struct consensus answers_judge(const struct sg_sntp_answer *answers,
                               size_t count);

/* Warns of a dissenter. Returns 0, or -1 without memory. */
int answers_warn(const struct consensus *found, struct report *report);

/* The servers, and what was measured of them. Start from zeros; proof_free. */
struct proof {
	const char *const *servers;
	size_t server_count;
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
	size_t answer_count;
	bool asked;
	struct sg_texts known; /* all addresses that the servers have had */
	sg_usec looked_up;     /* when they were last resolved (CLOCK_MONOTONIC) */
	struct sg_sntp_answer last; /* the latest measurement; or not usable */
	/* By the last test that succeeded: */
	char followed[INET6_ADDRSTRLEN]; /* whom ntpd follows */
	bool by_clock;                   /* that is a reference clock */
	bool pending; /* ntpd has stepped the clock, and says leap 11 for a while */
};

/* Asks the servers; warns of those without a usable answer, and of those that
 * contradict each other. 0 when one of them gave a usable answer; error:
 * no-usable-answer. */
int proof_preflight(struct proof *proof, struct report *report,
                    struct sg_error *error);

/* Whether there is a time to step to: a usable answer, which no equal number of
 * others contradicts. 0, or -1: step-failed. */
int proof_may_step(const struct proof *proof, struct sg_error *error);

/* Whether the running ntpd has one of the servers at all, selected or not. */
bool proof_has_server(struct proof *proof);

/* Whether ntpd is synchronised to none of the servers but to `other`. */
bool proof_follows_other(struct proof *proof, char other[INET6_ADDRSTRLEN]);

/* Warns that ntpd says leap 11 since it has stepped the clock. */
void proof_warn_pending(struct report *report);

/*
 * The synchronised test, once: `*` on one of the servers or on a reference
 * clock, leap not 11 unless ntpd has just stepped the clock, ntpd alive with
 * the same PID, and our own measurement within 0.128 s. YES, or NO, the reason
 * in `error` (not-synchronised or ntpq-failed), and its code in the report.
 */
enum answer proof_test(struct proof *proof, const struct sg_process *process,
                       struct report *report, struct sg_error *error);

/* Repeats the test for `limit`; ends early when ntpd dies or a signal comes. */
enum answer proof_await(struct proof *proof, const struct sg_process *process,
                        sg_usec limit, struct report *report,
                        struct sg_error *error);

/* The address of the server that answered best; else a server. */
const char *proof_address(const struct proof *proof);

/* Measures the offset to the server that answered best; false: it is silent. */
bool proof_measure(struct proof *proof, sg_usec *offset);

/* Leaves the latest measurement as the clock record; a warning when it cannot.
 */
void proof_record(const struct proof *proof, struct report *report);

void proof_free(struct proof *proof);

/* ---- change.c ----------------------------------------------------------- */

/* The first signal that asks this run to end; 0: none. */
extern volatile sig_atomic_t stop_signal;

/* Defers SIGTERM, SIGINT and SIGHUP until the host is left in order. */
void catch_signals(void);

/* Ends as the signal wanted, if one came; else returns. */
void die_of_signal(void);

/* A file that is there, and the text that it shall have. */
struct edit {
	struct sg_file file;
	const char *text; /* NULL: it stays as it is */
	size_t size;
	char *before; /* its bytes when the run began */
	size_t before_size;
	bool done;
};

/* A small file of our own, which can be made and removed. */
struct own_file {
	const char *path;
	bool planned;
	char *before; /* NULL: it was not there */
	char *after;  /* NULL: it shall not be there */
	bool done;
};

/* A change to the host: its files, its ntpd. */
struct change {
	struct host *host;
	struct report *report;
	struct edit config;
	struct edit defaults;  /* /etc/default, for --override-dhcp */
	struct own_file timer; /* whom the clock record's timer may ask */
	char *override;        /* the former value that is to be kept, or NULL */
	bool was_running;
	bool leaves_disabled; /* an undoing makes nothing start at boot */
	bool holds;           /* signals other than those of catch_signals wait */
	sigset_t others;      /* those that waited before */
};

/* Writes the new texts. On failure the old ones are in place. Error codes as in
 * sg_file_replace. */
int change_write(struct change *change, struct sg_error *error);

/* Puts the old files back, where they are still ours. */
void change_undo_files(struct change *change);

/* Whether the files still have the texts that the run leaves them with; the
 * report tells when they do not. Error: config-changed. */
int change_compare(struct change *change, struct sg_error *error);

/* ntpd failed on the new files: puts the old ones back, and restarts it on
 * them. `reason` becomes the report's error. Returns EXIT_ROLLED_BACK. */
int change_roll_back(struct change *change, const struct sg_error *reason);

/* Restarts ntpd (or starts it), and enables it. 0 or -1 and ntpd-died. */
int change_restart(struct change *change, struct sg_error *error);

/* Stops ntpd, steps the clock, and starts ntpd: whatever happens in between, it
 * is started. `*stepped` says whether the clock is right then; if not, a
 * warning says why. 0 or -1 and ntpd-died. */
int change_step(struct change *change, struct proof *proof, enum sg_step method,
                bool *stepped, struct sg_error *error);

/* Warns that policy-rc.d forbids what the new files ask for. */
void change_warn_not_restarted(struct change *change);

/* Makes ntpd start at boot, where it does not. */
void change_enable(struct change *change);

/* What `diff -u` says of all files that are to change, for the caller to free;
 * NULL: internal. */
char *change_diff(const struct change *change, struct sg_error *error);

void change_free(struct change *change);

/* ---- timer.c ------------------------------------------------------------ */

/*
 * Plans the drop-in that lets skewgate-clock.service ask servers other than
 * Amazon's, or its removal where none is needed. `systemd` says whether the
 * host, or the tree, has that at all. Error: file codes.
 */
int timer_plan(const struct host *host, const char *const *servers,
               size_t count, struct own_file *file, struct report *report,
               struct sg_error *error);

#endif
