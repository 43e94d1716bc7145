/* SPDX-License-Identifier: MIT */
/*
 * process: other programs, run and looked at.
 *
 * The only directory that forks.
 */
#ifndef SG_PROCESS_H
#define SG_PROCESS_H

#include "lib/base/base.h"

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

#endif
