/* SPDX-License-Identifier: MIT */
/* External programs: their end, their output, and their time limit. */
#include "check.h"

#include "lib/process/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_output_and_status(void **state)
{
	const char *const good[] = {"sh", "-c", "echo out; echo err >&2", NULL};
	const char *const bad[] = {"sh", "-c", "echo why; exit 3", NULL};
	const char *const missing[] = {"skewgate-no-such-program", NULL};
	struct sg_command command;
	struct sg_error error;

	(void)state;
	assert_done(sg_command_run(good, SG_SECOND, NULL, &command, &error), error);
	assert_string_equal(command.output, "out\nerr\n");
	sg_command_free(&command);
	assert_int_equal(sg_command_run(bad, SG_SECOND, NULL, &command, &error),
	                 -1);
	assert_int_equal(command.status, 3);
	assert_string_equal(error.code, "command-failed");
	assert_non_null(strstr(error.text, "why"));
	sg_command_free(&command);
	assert_int_equal(sg_command_run(missing, SG_SECOND, NULL, &command, &error),
	                 -1);
	assert_string_equal(error.code, "command-missing");
	sg_command_free(&command);
}

/* Waits for the end of a process that is not our child. A zombie has ended: the
 * first process of a container may never reap it. */
static bool is_gone(pid_t pid)
{
	for (int i = 0; i < 100; i++) {
		char path[64];
		char state = '\0';

		snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
		FILE *file = fopen(path, "r");
		if (file == NULL)
			return true;
		/* The file has no content when the process ended after fopen(). */
		int fields = fscanf(file, "%*d (%*[^)]) %c", &state);
		fclose(file);
		if (fields == EOF || state == 'Z')
			return true;
		sg_time_sleep(SG_SECOND / 50);
	}
	return false;
}

/* A program that ignores SIGTERM, and its child, are killed all the same. */
static void test_time_limit(void **state)
{
	const char *const stubborn[] = {
		"sh", "-c", "trap '' TERM; sleep 100 & echo $!; sleep 100", NULL};
	struct sg_command command;
	struct sg_error error;

	(void)state;
	sg_usec started = sg_time_elapsed();
	assert_int_equal(
		sg_command_run(stubborn, SG_SECOND / 2, NULL, &command, &error), -1);
	assert_in_range(sg_time_elapsed() - started, SG_SECOND / 2, 10 * SG_SECOND);
	assert_true(command.timed_out);
	assert_string_equal(error.code, "command-timeout");
	assert_true(is_gone((pid_t)strtol(command.output, NULL, 10)));
	sg_command_free(&command);
}

/* A daemon that a start script leaves behind holds the output open. */
static void test_daemon_left_behind(void **state)
{
	const char *const script[] = {"sh", "-c", "sleep 100 & echo $!", NULL};
	struct sg_command command;
	struct sg_error error;

	(void)state;
	sg_usec started = sg_time_elapsed();
	assert_done(sg_command_run(script, 20 * SG_SECOND, NULL, &command, &error),
	            error);
	assert_in_range(sg_time_elapsed() - started, 0, 10 * SG_SECOND);
	pid_t daemon = (pid_t)strtol(command.output, NULL, 10);
	assert_int_equal(kill(daemon, SIGKILL), 0); /* it lives */
	sg_command_free(&command);
}

static volatile sig_atomic_t stopped = 0;

static void note(int signal)
{
	stopped = signal;
}

static void test_stop(void **state)
{
	const char *const program[] = {"sleep", "100", NULL};
	struct sigaction action = {.sa_handler = note};
	struct sg_command command;
	struct sg_error error;

	(void)state;
	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	assert_int_equal(
		sg_command_run(program, 100 * SG_SECOND, &stopped, &command, &error),
		-1);
	assert_true(command.timed_out);
	sg_command_free(&command);
}

/* The caller's PATH comes first, the standard one is there all the same;
 * folders that depend on where we are do not count. */
static void test_search_path(void **state)
{
	char folder[] = "/tmp/skewgate-path-XXXXXX";
	char path[64];
	sg_auto_free char *former = strdup(getenv("PATH"));

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/sh", folder);
	assert_int_equal(symlink("/bin/true", path), 0);
	setenv("PATH", folder, 1);
	sg_auto_free char *first = sg_command_find("sh");
	sg_auto_free char *standard = sg_command_find("cat");
	assert_string_equal(first, path);
	assert_non_null(standard);
	assert_int_equal(chdir(folder), 0);
	setenv("PATH", ".::", 1);
	sg_auto_free char *here = sg_command_find("sh");
	assert_string_not_equal(here, "./sh");
	assert_int_equal(here[0], '/');
	setenv("PATH", former, 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* What a program gets: our PATH, the C locale, no input, no odd signals. */
static void test_environment(void **state)
{
	const char *const program[] = {
		"sh", "-c", "echo $LC_ALL; cat; kill -PIPE $$; echo survived", NULL};
	struct sg_command command;
	struct sg_error error;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	sg_command_run(program, 5 * SG_SECOND, NULL, &command, &error);
	assert_string_equal(command.output, "C\n");
	assert_int_equal(command.status, 128 + SIGPIPE);
	sg_command_free(&command);
	assert_null(sg_command_find("skewgate-no-such-program"));
}

/* A parent that ignores SIGCHLD hands that down; the status is seen all the
 * same.
 */
static void test_ignored_child_signal(void **state)
{
	const char *const program[] = {"sh", "-c", "exit 3", NULL};
	struct sg_command command;
	struct sg_error error;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(
		sg_command_run(program, 5 * SG_SECOND, NULL, &command, &error), -1);
	assert_int_equal(command.status, 3);
	sg_command_free(&command);
}

/* When we are killed the program goes, with its children. */
static void test_ends_with_us(void **state)
{
	const char *const script[] = {
		"sh", "-c", "sleep 100 & echo $! >&9; echo $$ >&9; sleep 100", NULL};
	int ready[2];
	int lock[2];
	char text[64] = "";
	size_t size = 0;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe2(lock, O_CLOEXEC), 0);
	pid_t us = fork();
	if (us == 0) {
		struct sg_command command;
		struct sg_error error;

		dup2(ready[1], 9);
		sg_command_run(script, 100 * SG_SECOND, NULL, &command, &error);
		_exit(0);
	}
	close(ready[1]);
	close(lock[1]);
	while (memchr(text, '\n', size) == memrchr(text, '\n', size)) {
		ssize_t more = read(ready[0], text + size, sizeof text - 1 - size);

		assert_true(more > 0);
		size += (size_t)more;
	}
	char *end = NULL;
	pid_t child = (pid_t)strtol(text, &end, 10);
	pid_t shell = (pid_t)strtol(end, NULL, 10);
	struct sg_process process = {0};
	assert_true(child > 1 && sg_process_of(shell, &process));
	/* What is between us and the shell does not hold what we had open, such as
	 * the lock, however slow it is. */
	pid_t supervisor = sg_process_parent(&process);
	struct pollfd ended = {.fd = lock[0], .events = POLLIN};
	assert_true(supervisor > 1 && supervisor != us);
	assert_int_equal(kill(supervisor, SIGSTOP), 0);
	assert_int_equal(kill(us, SIGKILL), 0);
	assert_int_equal(waitpid(us, NULL, 0), us);
	int closed = poll(&ended, 1, 5000);
	/* The kernel continues a stopped group that is orphaned: it may be gone. */
	(void)kill(supervisor, SIGCONT);
	assert_int_equal(closed, 1);
	assert_true(is_gone(child));
	assert_true(is_gone(shell));
	close(ready[0]);
	close(lock[0]);
}

/* With 0 to 2 closed its output is one of them at first. */
static void test_closed_descriptors(void **state)
{
	const char *const program[] = {"sh", "-c", "cat; echo out; echo err >&2",
	                               NULL};

	(void)state;
	for (int closed = 1; closed < 8; closed++) {
		int status = 0;
		pid_t child = fork();

		if (child == 0) {
			struct sg_command command;
			struct sg_error error;

			for (int i = 0; i < 3; i++)
				if ((closed & (1 << i)) != 0)
					close(i);
			_exit(sg_command_run(program, 5 * SG_SECOND, NULL, &command,
			                     &error) == 0 &&
			              strcmp(command.output, "out\nerr\n") == 0
			          ? 0
			          : 1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

/* It is not blocked from what we have blocked. */
static void test_empty_mask(void **state)
{
	const char *const program[] = {"sh", "-c", "kill -ALRM $$; echo survived",
	                               NULL};
	struct sg_command command;
	struct sg_error error;
	sigset_t all;
	sigset_t former;

	(void)state;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &former);
	sg_command_run(program, 5 * SG_SECOND, NULL, &command, &error);
	sigprocmask(SIG_SETMASK, &former, NULL);
	assert_int_equal(command.status, 128 + SIGALRM);
	sg_command_free(&command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_and_status),
		cmocka_unit_test(test_time_limit),
		cmocka_unit_test(test_daemon_left_behind),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_search_path),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_ignored_child_signal),
		cmocka_unit_test(test_ends_with_us),
		cmocka_unit_test(test_closed_descriptors),
		cmocka_unit_test(test_empty_mask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
