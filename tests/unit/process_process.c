/* SPDX-License-Identifier: MIT */
/* Processes: found by name, told from others of the same name or id. */
#include "check.h"

#include "lib/process/process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A name with all that proc(5) does not quote. */
#define NAME "t) S 1 (t"

static char folder[] = "/tmp/skewgate-process-XXXXXX";

static int make_program(void **state)
{
	char command[256];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof command, "cp \"$(command -v sleep)\" '%s/%s'",
	         folder, NAME);
	return system(command);
}

static int remove_program(void **state)
{
	char command[256];

	(void)state;
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	return system(command);
}

static bool is_named(pid_t pid)
{
	struct sg_process process;

	return sg_process_of(pid, &process) && sg_process_is_named(&process, NAME);
}

static void await_name(pid_t pid)
{
	for (int i = 0; i < 500 && !is_named(pid); i++)
		sg_time_sleep(SG_SECOND / 100);
	assert_true(is_named(pid));
}

/* Starts the program, as this user or as nobody, and waits until it has its
 * name. */
static pid_t start(bool as_nobody)
{
	pid_t pid = fork();

	if (pid == 0) {
		char path[64];

		snprintf(path, sizeof path, "%s/%s", folder, NAME);
		if (as_nobody && (chmod(folder, 0755) != 0 || setuid(65534) != 0))
			_exit(1);
		execl(path, NAME, "100", " 100", NULL);
		_exit(1);
	}
	assert_true(pid > 0);
	await_name(pid);
	return pid;
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_the_oldest_of_a_name(void **state)
{
	pid_t pids[4];

	(void)state;
	assert_int_equal(sg_process_find(NAME).pid, 0);
	for (size_t i = 0; i < 4; i++) {
		pids[i] = start(false);
		sg_time_sleep(SG_SECOND / 20); /* a clock tick is 10 ms */
	}
	for (size_t i = 0; i < 4; i++) {
		struct sg_process found = sg_process_find(NAME);

		assert_int_equal(found.pid, pids[i]);
		assert_true(sg_process_is_alive(&found));
		end(pids[i]);
		assert_false(sg_process_is_alive(&found));
	}
	assert_int_equal(sg_process_find(NAME).pid, 0);
}

/* A process that has ended, but was not waited for, is none; nor is a later one
 * with the same id the same. */
static void test_alive(void **state)
{
	struct sg_process self = {0};
	struct sg_process zombie = {0};

	(void)state;
	assert_true(sg_process_of(getpid(), &self));
	assert_true(sg_process_is_alive(&self));
	struct sg_process other = self;
	other.started--;
	assert_false(sg_process_is_alive(&other));
	assert_false(sg_process_is_same(&self, &other));
	assert_false(sg_process_is_named(&other, "process_process"));
	assert_true(sg_process_is_named(&self, "process_process"));
	assert_false(sg_process_is_named(&self, "timesync_process"));

	pid_t child = fork();
	if (child == 0)
		pause();
	assert_true(sg_process_of(child, &zombie));
	assert_int_equal(sg_process_parent(&zombie), getpid());
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)child, NULL, WEXITED | WNOWAIT), 0);
	assert_false(sg_process_is_alive(&zombie));
	assert_false(sg_process_of(child, &zombie));
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* A container's process has its own id there; from here it is not the host's.
 */
static void test_namespace(void **state)
{
	int ready[2];

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid_t outer = fork();
	if (outer == 0) {
		pid_t inner = unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0 ? fork() : -1;

		if (inner == 0) {
			char path[64];

			snprintf(path, sizeof path, "%s/%s", folder, NAME);
			execl(path, NAME, "100", NULL);
			_exit(1);
		}
		if (write(ready[1], &inner, sizeof inner) != sizeof inner)
			_exit(1);
		pause();
	}
	pid_t inner = -1;
	assert_int_equal(read(ready[0], &inner, sizeof inner), sizeof inner);
	if (inner < 0) {
		end(outer);
		print_message("no namespaces here\n");
		skip();
	}
	await_name(inner);
	assert_int_equal(sg_process_find(NAME).pid, 0);
	assert_int_equal(kill(inner, SIGKILL), 0);
	end(outer);
	close(ready[0]);
	close(ready[1]);
}

static bool is_known(const struct sg_process *process, const void *context)
{
	const pid_t *known = context;

	return process->pid == *known;
}

/* Only one that may set the clock, and that is not known already. */
static void test_clock(void **state)
{
	bool root = geteuid() == 0;
	pid_t pid = start(false);

	(void)state;
	assert_int_equal(sg_process_find_clock(NAME, NULL, NULL).pid,
	                 root ? pid : 0);
	assert_int_equal(sg_process_find_clock(NAME, is_known, &pid).pid, 0);
	if (root) {
		pid_t nobody = start(true);

		assert_int_equal(sg_process_find_clock(NAME, is_known, &pid).pid, 0);
		end(nobody);
	}
	end(pid);
}

static void test_arguments(void **state)
{
	struct sg_texts words = {0};
	struct sg_error error = {0};
	struct sg_process process;
	pid_t pid = start(false);

	(void)state;
	assert_true(sg_process_of(pid, &process));
	/* It has its name an instant before it has its arguments. */
	for (int i = 0; i < 500 && words.count == 0; i++) {
		sg_time_sleep(SG_SECOND / 100);
		assert_done(sg_process_arguments(&process, &words, &error), error);
	}
	assert_int_equal(words.count, 3);
	assert_string_equal(words.items[0], NAME);
	assert_string_equal(words.items[2], " 100");
	sg_texts_free(&words);
	end(pid);
}

/* What is cut off could name another config. */
static void test_long_command_line(void **state)
{
	struct sg_texts words = {0};
	struct sg_error error = {0};
	struct sg_process process;
	static char word[16384];

	(void)state;
	memset(word, '1', sizeof word - 1);
	pid_t pid = fork();
	if (pid == 0) {
		char path[64];

		snprintf(path, sizeof path, "%s/%s", folder, NAME);
		execl(path, NAME, word, NULL);
		_exit(1);
	}
	await_name(pid);
	assert_true(sg_process_of(pid, &process));
	for (int i = 0; i < 500 && error.code[0] == '\0'; i++) {
		sg_time_sleep(SG_SECOND / 100);
		sg_process_arguments(&process, &words, &error);
	}
	assert_int_equal(words.count, 0);
	assert_string_equal(error.code, "options-unreadable");
	end(pid);
}

/* The group by its whole path, or one above it. */
static void test_control_group(void **state)
{
	struct sg_process self = {0};
	char line[512];
	char group[512] = "";
	FILE *file = fopen("/proc/self/cgroup", "re");

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, "0::", 3) == 0)
			snprintf(group, sizeof group, "%.*s", (int)strcspn(line + 3, "\n"),
			         line + 3);
	assert_int_equal(fclose(file), 0);
	assert_true(sg_process_of(getpid(), &self));
	assert_false(sg_process_is_in_group(&self, ""));
	assert_false(sg_process_is_in_group(&self, "/no-such.slice"));
	if (group[0] == '\0') {
		print_message("no unified control groups here\n");
		skip();
	}
	assert_true(sg_process_is_in_group(&self, group));
	size_t length = strlen(group);
	snprintf(group + length, sizeof group - length, "x");
	assert_false(sg_process_is_in_group(&self, group));
	if (length > 1) {
		group[length - 1] = '\0';
		assert_false(sg_process_is_in_group(&self, group));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_oldest_of_a_name),
		cmocka_unit_test(test_alive),
		cmocka_unit_test(test_namespace),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_long_command_line),
		cmocka_unit_test(test_control_group),
	};

	return cmocka_run_group_tests(tests, make_program, remove_program);
}
