/* SPDX-License-Identifier: MIT */
/* Files that a login rests on: who could have written them, by every directory
 * and link on their path. */
#include "check.h"

#include "lib/base/base.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534
#define LIMIT 100

static char root[] = "/tmp/skewgate-trusted-XXXXXX";

/* Makes a directory, or with content a file, of this mode. */
static void make(const char *path, const char *content, mode_t mode)
{
	if (content == NULL) {
		assert_return_code(mkdir(path, 0700), 0);
	} else {
		int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		assert_int_equal(write(file, content, strlen(content)),
		                 strlen(content));
		close(file);
	}
	assert_return_code(chmod(path, mode), 0);
}

/* NULL when the file is read, else the error's code. */
static const char *ask(const char *path)
{
	static struct sg_error error;
	char *bytes = NULL;
	size_t size = 0;

	error = (struct sg_error){0};
	if (sg_trusted_read(path, LIMIT, &bytes, &size, &error) != 0)
		return error.code;
	assert_int_equal(size, strlen(bytes));
	free(bytes);
	return NULL;
}

#define assert_trusted(path) assert_null(ask(path))
#define assert_refused(path, code)                                             \
	do {                                                                       \
		const char *found = ask(path);                                         \
		assert_string_equal(found == NULL ? "read" : found, code);             \
	} while (0)

static int setup(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "/tmp/skewgate-trusted-XXXXXX");
	if (mkdtemp(root) == NULL || chdir(root) != 0)
		return -1;
	make("a", NULL, 0755);
	make("a/b", NULL, 0755);
	make("a/b/file", "content", 0600);
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", root);
	return system(command);
}

static const char *whole(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", root, name);
	return path;
}

static void test_modes(void **state)
{
	static const struct {
		mode_t mode;
		const char *code;
	} files[] =
		{
			{0400, "read"},
			{0644, "read"},
			{0640, "read"},
			{0620, "file-untrusted"},
			{0602, "file-untrusted"},
			/* Stickiness means nothing for a file. */
			{01666, "file-untrusted"},
			{01602, "file-untrusted"},
		},
	  directories[] = {
		  {0755, "read"},           {0700, "read"},
		  {0775, "file-untrusted"}, {0757, "file-untrusted"},
		  {0777, "file-untrusted"}, {01777, "read"},
	  };

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		chmod("a/b/file", files[i].mode);
		const char *code = ask(whole("a/b/file"));
		assert_string_equal(code == NULL ? "read" : code, files[i].code);
	}
	chmod("a/b/file", 0600);
	/* Every directory counts, not only the last. */
	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		static const char *const names[] = {".", "a", "a/b"};

		for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
			chmod(names[k], directories[i].mode);
			const char *code = ask(whole("a/b/file"));
			assert_string_equal(code == NULL ? "read" : code,
			                    directories[i].code);
			chmod(names[k], 0755);
		}
	}
}

/* The sentence names the directory that has to be corrected. */
static void test_sentence(void **state)
{
	struct sg_error error = {0};
	char expected[128];
	char *bytes = NULL;
	size_t size = 0;

	(void)state;
	chmod("a", 0777);
	assert_int_equal(
		sg_trusted_read(whole("a/b/file"), LIMIT, &bytes, &size, &error), -1);
	snprintf(expected, sizeof expected, "%s/a, on the path of %s/a/b/file, ",
	         root, root);
	assert_int_equal(strncmp(error.text, expected, strlen(expected)), 0);
	assert_non_null(strstr(error.text, "chmod go-w it"));
}

static void test_kinds(void **state)
{
	(void)state;
	assert_refused(whole("a/b/nothing"), "file-missing");
	assert_refused(whole("a/nothing/file"), "file-missing");
	assert_refused(whole("a/b/file/file"), "file-missing");
	assert_refused(whole("a/b"), "file-not-regular");
	assert_refused("/", "file-missing");
	assert_refused("", "file-missing");
	assert_refused(whole("a/b/file/"), "file-missing");
	mkfifo("a/b/pipe", 0600);
	assert_refused(whole("a/b/pipe"), "file-not-regular");
	assert_return_code(symlink("file", "a/b/link"), 0);
	assert_refused(whole("a/b/link"), "file-not-regular");
	assert_refused("/dev/null", "file-not-regular");
}

static void test_size(void **state)
{
	char content[LIMIT + 2];

	(void)state;
	memset(content, 'x', sizeof content);
	content[LIMIT] = '\0';
	make("a/b/file", content, 0600);
	assert_trusted(whole("a/b/file"));
	content[LIMIT] = 'x';
	content[LIMIT + 1] = '\0';
	make("a/b/file", content, 0600);
	assert_refused(whole("a/b/file"), "file-too-big");
}

static void test_spellings(void **state)
{
	(void)state;
	assert_trusted("a/b/file");
	assert_trusted("./a//b/./file");
	assert_trusted("a/b/../b/file");
	/* Found, that is: they are longer than LIMIT. */
	assert_refused("a/../../../../../../../../../etc/passwd", "file-too-big");
	assert_refused("/../etc/./passwd", "file-too-big");
	assert_return_code(chdir("a/b"), 0);
	assert_trusted("file");
	/* The current directory is on the path, and all above it. */
	chmod("..", 0777);
	assert_refused("file", "file-untrusted");
	assert_refused("./file", "file-untrusted");
	chmod("..", 0755);
	/* One that is gone has no path. */
	assert_return_code(chdir(root), 0);
	make("gone", NULL, 0755);
	assert_return_code(chdir("gone"), 0);
	assert_return_code(rmdir(whole("gone")), 0);
	assert_refused("file", "file-missing");
	assert_return_code(chdir(root), 0);
}

static void test_long_paths(void **state)
{
	char path[3 * 4096] = "";
	char name[300];

	(void)state;
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	snprintf(path, sizeof path, "/%s/file", name);
	assert_refused(path, "file-unreadable");
	path[0] = '\0';
	for (int i = 0; i < 5000; i++)
		strcat(path, "./");
	strcat(path, "a/b/file");
	assert_refused(path, "file-unreadable");
}

static void test_links(void **state)
{
	char target[128];

	(void)state;
	make("open", NULL, 0777);
	make("open/c", NULL, 0755);
	make("open/c/file", "content", 0600);
	assert_return_code(symlink("a/b", "relative"), 0);
	snprintf(target, sizeof target, "%s/a", root);
	assert_return_code(symlink(target, "absolute"), 0);
	assert_return_code(symlink("../absolute/", "a/twice"), 0);
	assert_trusted(whole("relative/file"));
	assert_trusted(whole("absolute/b/file"));
	assert_trusted(whole("a/twice/b/file"));
	assert_trusted("absolute/twice/twice/b/../../relative/file");
	/* What a link leads over is on the path, too. */
	assert_return_code(symlink("open/c", "over"), 0);
	assert_refused(whole("over/file"), "file-untrusted");
	/* And so is where it lies. */
	snprintf(target, sizeof target, "%s/a/b", root);
	assert_return_code(symlink(target, "open/inside"), 0);
	assert_refused(whole("open/inside/file"), "file-untrusted");
	chmod("open", 01777);
	assert_trusted(whole("open/inside/file"));
	assert_return_code(symlink("nowhere", "dangling"), 0);
	assert_refused(whole("dangling/file"), "file-missing");
	assert_return_code(symlink("a/b/file", "to_file"), 0);
	assert_refused(whole("to_file/file"), "file-missing");
}

static void test_many_links(void **state)
{
	char name[16] = "a";
	char path[64];

	(void)state;
	assert_return_code(symlink("loop", "loop"), 0);
	assert_refused(whole("loop/file"), "file-unreadable");
	/* Forty are followed. */
	for (int i = 1; i <= 41; i++) {
		char next[16];

		snprintf(next, sizeof next, "l%d", i);
		assert_return_code(symlink(name, next), 0);
		snprintf(name, sizeof name, "%s", next);
	}
	snprintf(path, sizeof path, "l40/b/file");
	assert_trusted(path);
	snprintf(path, sizeof path, "l41/b/file");
	assert_refused(path, "file-unreadable");
}

/* ---- other owners, which takes root ------------------------------------- */

static void need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("only root can give files to somebody else\n");
	skip();
}

static void test_owners(void **state)
{
	static const char *const names[] = {".", "a", "a/b", "a/b/file"};

	(void)state;
	need_root();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		assert_trusted(whole("a/b/file"));
		assert_return_code(chown(names[i], NOBODY, 0), 0);
		assert_refused(whole("a/b/file"), "file-untrusted");
		/* Its owner could make a sticky directory another one. */
		if (i < 3) {
			chmod(names[i], 01777);
			assert_refused(whole("a/b/file"), "file-untrusted");
			chmod(names[i], 0755);
		}
		assert_return_code(chown(names[i], 0, 0), 0);
	}
	assert_return_code(symlink("a/b", "link"), 0);
	assert_trusted(whole("link/file"));
	assert_return_code(lchown("link", NOBODY, 0), 0);
	assert_refused(whole("link/file"), "file-untrusted");
}

/* For an effective user of its own, that user and root are trusted. */
static void test_effective_user(void **state)
{
	(void)state;
	need_root();
	chmod("a/b/file", 0644);
	chmod(".", 0755);
	pid_t child = fork();
	if (child == 0) {
		bool met = seteuid(NOBODY) == 0 && ask(whole("a/b/file")) == NULL;

		met = met && seteuid(0) == 0 && chown("a/b/file", NOBODY, 0) == 0 &&
		      chown("a/b", NOBODY, 0) == 0 && seteuid(NOBODY) == 0 &&
		      ask(whole("a/b/file")) == NULL;
		met = met && seteuid(0) == 0 && chown("a", 1, 0) == 0 &&
		      seteuid(NOBODY) == 0 && ask(whole("a/b/file")) != NULL;
		_exit(met ? 0 : 1);
	}
	int status = -1;
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

/* Whoever may write to a directory can put another one in the place of a
 * trusted one, or a link to one: both belong to root. */
static void test_renaming(void **state)
{
	char elsewhere[] = "/tmp/skewgate-elsewhere-XXXXXX";
	char file[64];

	(void)state;
	need_root();
	assert_non_null(mkdtemp(elsewhere));
	chmod(elsewhere, 0755);
	snprintf(file, sizeof file, "%s/file", elsewhere);
	make(file, "other", 0644);
	chmod(".", 0755);
	chmod("a", 0777);
	pid_t child = fork();
	if (child == 0)
		_exit(setuid(NOBODY) == 0 && rename("a/b", "a/old") == 0 &&
		              symlink(elsewhere, "a/b") == 0
		          ? 0
		          : 1);
	int status = -1;
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_refused(whole("a/b/file"), "file-untrusted");
	/* The link alone gives it away, too. */
	chmod("a", 0755);
	assert_refused(whole("a/b/file"), "file-untrusted");
	assert_return_code(unlink("a/b"), 0);
	assert_return_code(rename("a/old", "a/b"), 0);
	assert_trusted(whole("a/b/file"));
	unlink(file);
	rmdir(elsewhere);
}

#define TEST(function)                                                         \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_modes),          TEST(test_sentence),   TEST(test_kinds),
		TEST(test_size),           TEST(test_spellings),  TEST(test_long_paths),
		TEST(test_links),          TEST(test_many_links), TEST(test_owners),
		TEST(test_effective_user), TEST(test_renaming),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
