/* SPDX-License-Identifier: MIT */
/* External programs: found, held to a time limit, and heard. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Searched after the caller's PATH: cloud-init's environment has a short one,
 * or none. */
#define STANDARD_PATH                                                          \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* As much of a program's output as a report can use. */
#define MAX_OUTPUT ((size_t)64 * 1024)

/* How long a program may take to die of SIGTERM before SIGKILL. */
#define GRACE (2 * SG_SECOND)

#define POLL_INTERVAL (SG_SECOND / 200)

/* The directories to search, for the caller to free, or NULL without memory. */
static char *search_path(void)
{
	const char *path = secure_getenv("PATH");
	char *whole = NULL;

	if (asprintf(&whole, "%s:%s", path != NULL ? path : "", STANDARD_PATH) < 0)
		return NULL;
	return whole;
}

char *sg_command_find(const char *name)
{
	sg_auto_free char *path = search_path();
	char *rest = NULL;

	if (path == NULL || strchr(name, '/') != NULL)
		return access(name, X_OK) == 0 ? strdup(name) : NULL;
	for (char *part = strtok_r(path, ":", &rest); part != NULL;
	     part = strtok_r(NULL, ":", &rest)) {
		char *found = NULL;

		if (part[0] != '/')
			continue; /* not from wherever we happen to be */
		if (asprintf(&found, "%s/%s", part, name) < 0)
			return NULL;
		if (access(found, X_OK) == 0)
			return found;
		free(found);
	}
	return NULL;
}

/* What the program is to be. */
struct program {
	const char *path;
	const char *const *arguments;
	const char *search; /* its PATH */
	int output;
};

/* In the program's own process: never returns. */
static void execute(const struct program *program)
{
	static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
	sigset_t none;

	/* The supervisor may be killed, too. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
		signal(handled[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Where 0 to 2 are closed in this process, the output may be one of them:
	 * none is replaced before it is copied. */
	int output = fcntl(program->output, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int null = open("/dev/null", O_RDONLY);
	if (output < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
		_exit(126);
	if (null > STDERR_FILENO)
		close(null);
	/* Their words are read by programs. */
	setenv("PATH", program->search, 1);
	setenv("LC_ALL", "C", 1);
	execv(program->path, (char *const *)(uintptr_t)program->arguments);
	_exit(127);
}

static void kill_own_group(int signal)
{
	(void)signal;
	kill(0, SIGKILL);
}

/*
 * A process between us and the program, which ends as that does. When we are
 * killed it kills the program with all its children: an init script that goes
 * on alone would collide with the one of the next run. Never returns.
 */
static void supervise(const struct program *program, pid_t parent)
{
	const struct sigaction action = {.sa_handler = kill_own_group};
	sigset_t mask;
	int status = 0;

	setpgid(0, 0);
	/* A signal that nobody else sends. */
	sigaction(SIGRTMAX, &action, NULL);
	prctl(PR_SET_PDEATHSIG, SIGRTMAX);
	/* What ends the group by other signals is for the program to obey. */
	sigfillset(&mask);
	sigdelset(&mask, SIGRTMAX);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (getppid() != parent)
		_exit(126); /* it was killed before that */
	pid_t child = fork();
	if (child == 0)
		execute(program);
	/* Our lock ends with us, and so does what else is open. */
	syscall(SYS_close_range, 0, ~0U, 0);
	if (child < 0)
		_exit(126);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void kill_group(pid_t child)
{
	siginfo_t info;

	kill(-child, SIGTERM);
	sg_usec end = sg_time_elapsed() + GRACE;
	do {
		info.si_pid = 0;
		if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) ==
		        0 &&
		    info.si_pid == child)
			break;
		sg_time_sleep(POLL_INTERVAL);
	} while (sg_time_elapsed() < end);
	kill(-child, SIGKILL); /* its children, too */
}

static void await(pid_t child, sg_usec limit, const volatile sig_atomic_t *stop,
                  struct sg_command *command)
{
	sg_usec end = sg_time_elapsed() + limit;
	int status = 0;

	while (waitpid(child, &status, WNOHANG) == 0) {
		if (sg_time_elapsed() < end && (stop == NULL || *stop == 0)) {
			sg_time_sleep(POLL_INTERVAL);
			continue;
		}
		command->timed_out = true;
		kill_group(child);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
		}
		break;
	}
	command->status =
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * The output goes to memory, not to a pipe: a daemon that a start script leaves
 * behind may keep it open, and must neither make us wait nor die of SIGPIPE.
 */
static char *read_output(int output)
{
	char *text = calloc(1, MAX_OUTPUT + 1);
	ssize_t size = text == NULL ? -1 : pread(output, text, MAX_OUTPUT, 0);

	if (size < 0) {
		free(text);
		return strdup("");
	}
	for (ssize_t i = 0; i < size; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	return text;
}

int sg_command_run(const char *const *arguments, sg_usec limit,
                   const volatile sig_atomic_t *stop,
                   struct sg_command *command, struct sg_error *error)
{
	sg_auto_free char *program = sg_command_find(arguments[0]);
	sg_auto_free char *path = search_path();
	sg_auto_close int output = memfd_create("output", MFD_CLOEXEC);

	*command = (struct sg_command){.status = -1};
	if (path == NULL)
		return sg_fail_memory(error);
	if (program == NULL)
		return sg_fail(error, "command-missing",
		               "%s was not found in %s; install it", arguments[0],
		               path);
	if (output < 0)
		return sg_fail(error, "command-failed", "%s cannot be run: %s",
		               arguments[0], strerror(errno));
	/* SIGCHLD may be inherited as ignored: waitpid() would lose the status. */
	signal(SIGCHLD, SIG_DFL);
	const struct program started = {
		.path = program,
		.arguments = arguments,
		.search = path,
		.output = output,
	};
	pid_t parent = getpid();
	pid_t child = fork();
	if (child == 0)
		supervise(&started, parent);
	if (child < 0)
		return sg_fail(error, "command-failed", "%s cannot be run: %s",
		               arguments[0], strerror(errno));
	setpgid(child, child); /* whoever comes first */
	await(child, limit, stop, command);
	command->output = read_output(output);
	if (command->output == NULL)
		return sg_fail_memory(error);
	if (command->timed_out)
		return sg_fail(error, "command-timeout",
		               "%s did not end within %lld s and was killed",
		               arguments[0], (long long)(limit / SG_SECOND));
	if (command->status != 0)
		return sg_fail(error, "command-failed",
		               "%s ended with status %d: %.300s", arguments[0],
		               command->status, command->output);
	return 0;
}

void sg_command_free(struct sg_command *command)
{
	free(command->output);
	*command = (struct sg_command){0};
}
