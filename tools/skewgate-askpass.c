/* SPDX-License-Identifier: MIT */
/*
 * skewgate-askpass: answers ssh's prompts with a token, for scripts.
 *
 * ssh runs it once for each prompt, and cuts an answer at 1023 bytes. So a long
 * token is given in the parts that pam_skewgate.so asks for; what a command
 * printed waits for the later ones in a file that only this login can find.
 *
 * It answers three prompts and no other: a host-key question is not to be
 * answered with a credential, nor by a program.
 */
#include "lib/process/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the ssh client takes of an answer, and the module calls a part. */
#define PART_SIZE ((size_t)1023)

/* The longest token that the module takes. */
#define MAX_TOKEN ((size_t)16 * 1024)

/* Parts of the longest token, and one that is empty. */
#define MAX_PARTS 18

#define FILE_PREFIX "skewgate-askpass-"

/* A part of the token that is asked for; 0: the whole of it, for a password. */
#define WHOLE 0

struct token {
	char *bytes;
	size_t size;
};

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("skewgate-askpass: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	return -1;
}

/* ---- the prompt --------------------------------------------------------- */

/* Whether it is `user@host`: nothing that a sentence could hide in. */
static bool is_destination(const char *text, size_t size)
{
	return memchr(text, '@', size) != NULL && memchr(text, ' ', size) == NULL &&
	       memchr(text, '(', size) == NULL && memchr(text, ')', size) == NULL;
}

/* Which part "JWT: " or "JWT (part N): " asks for; -1: it asks for none. */
static int read_part(const char *question)
{
	static const char later[] = "JWT (part ";
	char *end = NULL;

	if (strcmp(question, "JWT: ") == 0)
		return 1;
	if (strncmp(question, later, strlen(later)) != 0)
		return -1;
	long part = strtol(question + strlen(later), &end, 10);
	return strcmp(end, "): ") == 0 && part >= 2 && part <= MAX_PARTS ? (int)part
	                                                                 : -1;
}

/* sshd puts what a module tells, such as the advice about parts, as lines
 * between
 * `(user@host) ` and the question. */
static int read_prompt(const char *prompt)
{
	static const char password[] = "'s password: ";
	const char *answer_kind = secure_getenv("SSH_ASKPASS_PROMPT");
	const char *end = strstr(prompt, ") ");
	const char *line = strrchr(prompt, '\n');
	size_t length = strlen(prompt);

	/* "confirm" and "none" want no answer (ssh(1)). */
	if (answer_kind != NULL && answer_kind[0] != '\0')
		return -1;
	if (prompt[0] == '(' && end != NULL && (line == NULL || line > end))
		return is_destination(prompt + 1, (size_t)(end - prompt) - 1)
		           ? read_part(line != NULL ? line + 1 : end + 2)
		           : -1;
	if (length <= strlen(password))
		return -1;
	length -= strlen(password);
	return strcmp(prompt + length, password) == 0 &&
	               is_destination(prompt, length)
	           ? WHOLE
	           : -1;
}

/* ---- the token ---------------------------------------------------------- */

/* Takes off the end of the line, and refuses what is no token. */
static int check_token(struct token *token, const char *source)
{
	if (token->size > 0 && token->bytes[token->size - 1] == '\n')
		token->size--;
	if (token->size > 0 && token->bytes[token->size - 1] == '\r')
		token->size--;
	if (token->size == 0)
		return fail("%s gave no token", source);
	if (token->size > MAX_TOKEN)
		return fail("%s gave more than %zu bytes, which no token has", source,
		            MAX_TOKEN);
	for (size_t i = 0; i < token->size; i++)
		if (token->bytes[i] <= ' ' || token->bytes[i] > '~')
			return fail("%s gave more than a token: it has to be one line "
			            "without blanks",
			            source);
	return 0;
}

static int read_descriptor(int descriptor, const char *source,
                           struct token *token)
{
	/* Room for the end of the line; one more byte is too much. */
	token->bytes = sg_read_all(descriptor, MAX_TOKEN + 2, &token->size);
	if (token->bytes == NULL && errno == EFBIG)
		return fail("%s gave more than %zu bytes, which no token has", source,
		            MAX_TOKEN);
	return token->bytes != NULL
	           ? check_token(token, source)
	           : fail("%s cannot be read: %s", source, strerror(errno));
}

/* `part` is the one that is asked for: a login is warned once. */
static int read_file(const char *path, int part, struct token *token)
{
	sg_auto_close int descriptor = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	struct stat status;

	if (descriptor < 0 || fstat(descriptor, &status) != 0)
		return fail("the token file %s cannot be opened: %s", path,
		            strerror(errno));
	if (part <= 1 && S_ISREG(status.st_mode) &&
	    (status.st_mode & (S_IRGRP | S_IROTH)) != 0)
		fprintf(stderr,
		        "skewgate-askpass: warning: others can read the token file %s, "
		        "and log in with it; chmod 600 it\n",
		        path);
	return read_descriptor(descriptor, "the token file", token);
}

static int run_command(const char *command, struct token *token)
{
	/* The command is the user's own, and a shell's to run. */
	/* NOLINTNEXTLINE(cert-env33-c) */
	FILE *pipe = popen(command, "re");

	if (pipe == NULL)
		return fail("the token command cannot be run: %s", strerror(errno));
	int failed = read_descriptor(fileno(pipe), "the token command", token);
	int status = pclose(pipe);
	if (failed == 0 && status != 0)
		return fail("the token command ended with status %d",
		            WIFEXITED(status) ? WEXITSTATUS(status)
		                              : 128 + WTERMSIG(status));
	return failed;
}

/* ---- between the parts -------------------------------------------------- */

/* The user's runtime directory (basedir specification), or -1 and the reason:
 * it has to be the user's alone. */
static int open_runtime_directory(void)
{
	const char *path = secure_getenv("XDG_RUNTIME_DIR");
	struct stat status;

	if (path == NULL || path[0] != '/')
		return fail("the token is longer than %zu bytes, and to be given in "
		            "parts it has to wait in XDG_RUNTIME_DIR, which is not "
		            "set; set it, or use SKEWGATE_TOKEN_FILE",
		            PART_SIZE - 1);
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory >= 0 && fstat(directory, &status) == 0 &&
	    status.st_uid == geteuid() && (status.st_mode & 077) == 0)
		return directory;
	if (directory >= 0)
		close(directory);
	return fail("XDG_RUNTIME_DIR %s is not a directory of this user alone; a "
	            "token cannot wait there",
	            path);
}

/* The file of this login: of the ssh that runs us, and no later process with
 * its id. */
static int name_file(char *name, size_t size)
{
	struct sg_process parent;

	if (!sg_process_of(getppid(), &parent))
		return fail("the ssh that asks is gone");
	snprintf(name, size, FILE_PREFIX "%ld-%llu", (long)parent.pid,
	         parent.started);
	return 0;
}

static int is_ours(const struct dirent *entry)
{
	return strncmp(entry->d_name, FILE_PREFIX, strlen(FILE_PREFIX)) == 0;
}

/* Removes what logins that broke off have left. */
static void remove_stale(int directory)
{
	struct dirent **entries = NULL;
	int count = scandirat(directory, ".", &entries, is_ours, NULL);

	for (int i = 0; i < count; i++) {
		struct sg_process process = {0};
		char *end = NULL;

		process.pid =
			(pid_t)strtol(entries[i]->d_name + strlen(FILE_PREFIX), &end, 10);
		process.started = *end == '-' ? strtoull(end + 1, NULL, 10) : 0;
		if (!sg_process_is_alive(&process))
			unlinkat(directory, entries[i]->d_name, 0);
		free(entries[i]);
	}
	free(entries);
}

/* Puts the token where the later parts find it. */
static int keep(const struct token *token)
{
	char name[64];
	sg_auto_close int directory = open_runtime_directory();

	if (directory < 0 || name_file(name, sizeof name) != 0)
		return -1;
	remove_stale(directory);
	unlinkat(directory, name, 0); /* of an earlier attempt */
	sg_auto_close int file =
		openat(directory, name,
	           O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file >= 0 &&
	    write(file, token->bytes, token->size) == (ssize_t)token->size)
		return 0;
	int reason = errno;
	unlinkat(directory, name, 0);
	return fail("the token cannot be kept in XDG_RUNTIME_DIR: %s",
	            strerror(reason));
}

/* Takes the token that waits; the last part's taking removes it. */
static int take(size_t offset, struct token *token)
{
	char name[64];
	sg_auto_close int directory = open_runtime_directory();

	if (directory < 0 || name_file(name, sizeof name) != 0)
		return -1;
	sg_auto_close int file =
		openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (file < 0)
		return fail("no token waits for this part: the first one was not "
		            "asked for, or given by somebody else");
	if (read_descriptor(file, "the waiting token", token) != 0)
		return -1;
	if (offset + PART_SIZE > token->size)
		unlinkat(directory, name, 0);
	return 0;
}

/* ---- the answer --------------------------------------------------------- */

static int find_token(int part, struct token *token)
{
	const char *file = secure_getenv("SKEWGATE_TOKEN_FILE");
	const char *command = secure_getenv("SKEWGATE_TOKEN_COMMAND");

	if ((file == NULL) == (command == NULL))
		return fail("set one of SKEWGATE_TOKEN_FILE and "
		            "SKEWGATE_TOKEN_COMMAND, to say where the token is");
	if (file != NULL)
		return read_file(file, part, token);
	if (part > 1)
		return take((size_t)(part - 1) * PART_SIZE, token);
	if (run_command(command, token) != 0)
		return -1;
	return part == 1 && token->size >= PART_SIZE ? keep(token) : 0;
}

static int answer(int part)
{
	struct token token = {0};
	size_t offset = part > 1 ? (size_t)(part - 1) * PART_SIZE : 0;
	int failed = find_token(part, &token);

	if (failed == 0 && part == WHOLE && token.size > PART_SIZE)
		failed = fail("the token has %zu bytes, and ssh cuts a password at "
		              "%zu; use keyboard-interactive authentication",
		              token.size, PART_SIZE);
	if (failed == 0 && offset > token.size)
		failed = fail("the server asks for part %d, which the token does not "
		              "have",
		              part);
	if (failed == 0) {
		size_t left = token.size - offset;

		fwrite(token.bytes + offset, 1, left < PART_SIZE ? left : PART_SIZE,
		       stdout);
		putchar('\n');
		if (fflush(stdout) != 0)
			failed = fail("the answer cannot be written");
	}
	if (token.bytes != NULL)
		explicit_bzero(token.bytes, token.size);
	free(token.bytes);
	return failed;
}

static int print(const char *text)
{
	return fputs(text, stdout) < 0 || fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
	sg_open_descriptors();
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return print("skewgate-askpass " SG_VERSION "\n");
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return print(
			"usage: SSH_ASKPASS=skewgate-askpass SSH_ASKPASS_REQUIRE=force \\\n"
			"       SKEWGATE_TOKEN_FILE=FILE ssh ...\n"
			"\n"
			"Answers the prompts of pam_skewgate.so with the token in FILE, or "
			"with what\n"
			"SKEWGATE_TOKEN_COMMAND prints. See skewgate-askpass(1).\n");
	int part = argc == 2 ? read_prompt(argv[1]) : -1;
	if (part < 0) {
		fail("this prompt is not one for a token; nothing was answered");
		return 1;
	}
	return answer(part) == 0 ? 0 : 1;
}
