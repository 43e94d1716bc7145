/* Processes, as proc(5) shows them. */
#include "timesync.h"

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

/*
 * A container's processes are visible from its host, but are not the host's:
 * they have an id in each namespace (proc(5), NSpid). Not by /proc/PID/ns,
 * which a service without CAP_SYS_PTRACE may not look at.
 */
static bool is_in_our_namespace(pid_t pid)
{
	static const char key[] = "\nNSpid:\t";
	char text[4096];

	if (read_proc(pid, "status", text, sizeof text) < 0)
		return false;
	const char *ids = strstr(text, key);
	if (ids == NULL)
		return true; /* a kernel without such namespaces */
	ids += sizeof key - 1;
	return ids[strspn(ids, "0123456789")] == '\n';
}

static int is_process(const struct dirent *entry)
{
	return isdigit((unsigned char)entry->d_name[0]);
}

bool sg_process_of(pid_t pid, struct sg_process *process)
{
	return read_stat(pid, NULL, 0, process);
}

struct sg_process sg_process_find(const char *name)
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
		    strcmp(its_name, name) != 0 || !is_in_our_namespace(pid))
			continue;
		/* ntpd's own children, such as its resolver, are younger. */
		if (found.pid == 0 || process.started < found.started ||
		    (process.started == found.started && process.pid < found.pid))
			found = process;
	}
	free(entries);
	return found;
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

char *sg_process_option(const struct sg_process *process, char letter,
                        const char *name)
{
	char line[MAX_COMMAND_LINE];
	ssize_t length = read_proc(process->pid, "cmdline", line, sizeof line);
	size_t name_length = strlen(name);
	char *value = NULL;

	for (char *word = line; length > 0 && word < line + length;
	     word += strlen(word) + 1) {
		const char *next = word + strlen(word) + 1;
		const char *found = NULL;

		if (word[0] == '-' && word[1] == letter)
			found = word[2] != '\0' ? word + 2 : next;
		else if (strncmp(word, "--", 2) == 0 &&
		         strncmp(word + 2, name, name_length) == 0)
			found = word[2 + name_length] == '='    ? word + 3 + name_length
			        : word[2 + name_length] == '\0' ? next
			                                        : NULL;
		if (found == NULL || found >= line + length)
			continue;
		free(value); /* the last one counts */
		value = strdup(found);
	}
	return value;
}
