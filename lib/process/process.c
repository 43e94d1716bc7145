/* SPDX-License-Identifier: MIT */
/* Processes, as proc(5) shows them. */
#include "process.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Longest command line that is looked at: an ntpd has a dozen words. */
#define MAX_COMMAND_LINE 8192

/* Reads a file of /proc as text. Returns its length, or -1. */
static ssize_t read_proc(pid_t pid, const char *name, char *buffer, size_t size)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
	sg_auto_close int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = descriptor < 0 ? -1 : read(descriptor, buffer, size - 1);
	if (length >= 0)
		buffer[length] = '\0';
	return length;
}

/* In proc(5)'s stat, what follows the name: state is field 3, start field 22.
 */
#define FIELDS_TO_START 19

/* Fills in the start, and the name if asked for; false for one that is gone or
 * a zombie. The name may hold any byte: it ends at the last parenthesis. */
static bool read_stat(pid_t pid, char *name, size_t name_size,
                      struct sg_process *process)
{
	char text[1024];

	if (read_proc(pid, "stat", text, sizeof text) < 0)
		return false;
	char *begin = strchr(text, '(');
	char *end = strrchr(text, ')');
	if (begin == NULL || end == NULL || end[1] == '\0' || end[2] == 'Z' ||
	    end[2] == 'X')
		return false;
	const char *field = end + 2;
	for (int i = 0; i < FIELDS_TO_START && field != NULL; i++) {
		field = strchr(field, ' ');
		field = field == NULL ? NULL : field + 1;
	}
	if (field == NULL)
		return false;
	process->started = strtoull(field, NULL, 10);
	process->pid = pid;
	*end = '\0';
	if (name != NULL)
		snprintf(name, name_size, "%s", begin + 1);
	return true;
}

#define STATUS_SIZE 4096

/* Reads a process's status, and finds what is behind `key` there, "\nNAME:\t";
 * NULL when it has no such line. False for a process that is gone. */
static bool read_status(pid_t pid, const char *key, char text[STATUS_SIZE],
                        const char **value)
{
	if (read_proc(pid, "status", text, STATUS_SIZE) < 0)
		return false;
	const char *line = strstr(text, key);
	*value = line == NULL ? NULL : line + strlen(key);
	return true;
}

/*
 * A container's processes are visible from its host, but are not the host's:
 * they have an id in each namespace (proc(5), NSpid). Not by /proc/PID/ns,
 * which a service without CAP_SYS_PTRACE may not look at.
 */
static bool is_in_our_namespace(pid_t pid)
{
	char text[STATUS_SIZE];
	const char *ids = NULL;

	if (!read_status(pid, "\nNSpid:\t", text, &ids))
		return false;
	/* A kernel without such namespaces says nothing. */
	return ids == NULL || ids[strspn(ids, "0123456789")] == '\n';
}

/* CAP_SYS_TIME's bit (capabilities(7)): whether it may set the clock. */
#define MAY_SET_CLOCK (1ULL << 25)

static bool may_set_clock(pid_t pid)
{
	char text[STATUS_SIZE];
	const char *set = NULL;

	return read_status(pid, "\nCapEff:\t", text, &set) && set != NULL &&
	       (strtoull(set, NULL, 16) & MAY_SET_CLOCK) != 0;
}

static int is_process(const struct dirent *entry)
{
	return isdigit((unsigned char)entry->d_name[0]);
}

bool sg_process_of(pid_t pid, struct sg_process *process)
{
	return read_stat(pid, NULL, 0, process);
}

bool sg_process_is_named(const struct sg_process *process, const char *name)
{
	struct sg_process now = {0};
	char its_name[64];

	return read_stat(process->pid, its_name, sizeof its_name, &now) &&
	       sg_process_is_same(process, &now) && strcmp(its_name, name) == 0;
}

static bool is_older(const struct sg_process *one,
                     const struct sg_process *other)
{
	return one->started < other->started ||
	       (one->started == other->started && one->pid < other->pid);
}

/* The oldest process of that name here for which `counts` is true. */
static struct sg_process find(const char *name, sg_process_test *counts,
                              const void *context)
{
	struct sg_process found = {0};
	struct dirent **entries = NULL;
	int count = scandir("/proc", &entries, is_process, alphasort);

	for (int i = 0; entries != NULL && i < count; i++) {
		pid_t pid = (pid_t)strtol(entries[i]->d_name, NULL, 10);
		struct sg_process process = {0};
		char its_name[64];

		free(entries[i]);
		if (!read_stat(pid, its_name, sizeof its_name, &process) ||
		    strcmp(its_name, name) != 0 || !is_in_our_namespace(pid) ||
		    (counts != NULL && !counts(&process, context)))
			continue;
		/* ntpd's own children, such as its resolver, are younger. */
		if (found.pid == 0 || is_older(&process, &found))
			found = process;
	}
	free(entries);
	return found;
}

struct sg_process sg_process_find(const char *name)
{
	return find(name, NULL, NULL);
}

/* What sg_process_find_clock looks for. */
struct search {
	sg_process_test *known;
	const void *context;
};

static bool keeps_clock(const struct sg_process *process, const void *context)
{
	const struct search *search = context;

	return may_set_clock(process->pid) &&
	       (search->known == NULL || !search->known(process, search->context));
}

struct sg_process sg_process_find_clock(const char *name,
                                        sg_process_test *known,
                                        const void *context)
{
	const struct search search = {.known = known, .context = context};

	return find(name, keeps_clock, &search);
}

pid_t sg_process_parent(const struct sg_process *process)
{
	char text[STATUS_SIZE];
	const char *parent = NULL;

	return read_status(process->pid, "\nPPid:\t", text, &parent) &&
	               parent != NULL
	           ? (pid_t)strtol(parent, NULL, 10)
	           : 0;
}

bool sg_process_is_in_group(const struct sg_process *process, const char *group)
{
	char text[MAX_COMMAND_LINE];
	size_t length = strlen(group);
	char *rest = NULL;

	if (length == 0 || read_proc(process->pid, "cgroup", text, sizeof text) < 0)
		return false;
	/* ID:CONTROLLERS:PATH (cgroups(7)); systemd's is the unified one, or the
	 * one named so. */
	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		const char *path = strncmp(line, "0::", 3) == 0 ? line + 3 : NULL;
		const char *named = strstr(line, ":name=systemd:");

		if (named != NULL)
			path = strchr(named + 1, ':') + 1;
		if (path != NULL && strncmp(path, group, length) == 0 &&
		    (path[length] == '/' || path[length] == '\0'))
			return true;
	}
	return false;
}

bool sg_process_is_same(const struct sg_process *one,
                        const struct sg_process *other)
{
	return one->pid == other->pid && one->started == other->started;
}

bool sg_process_is_alive(const struct sg_process *process)
{
	struct sg_process now = {0};

	return process->pid != 0 && read_stat(process->pid, NULL, 0, &now) &&
	       sg_process_is_same(process, &now);
}

int sg_process_arguments(const struct sg_process *process,
                         struct sg_texts *arguments, struct sg_error *error)
{
	char line[MAX_COMMAND_LINE];
	ssize_t length = read_proc(process->pid, "cmdline", line, sizeof line);

	if (length == (ssize_t)sizeof line - 1)
		return sg_fail(error, "options-unreadable",
		               "the command line of process %ld is longer than %zu "
		               "bytes, so that its options cannot be read",
		               (long)process->pid, sizeof line - 2);
	for (const char *word = line; length > 0 && word < line + length;
	     word += strlen(word) + 1)
		if (sg_texts_add(arguments, "%s", word) != 0)
			return sg_fail_memory(error);
	return 0;
}
