/* SPDX-License-Identifier: MIT */
/*
 * The catalogue of what can stand in the place of a config: each is replaced
 * whole, or refused and left alone. What needs root is in tests/system.
 */
#include "check.h"

#include "lib/base/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LIMIT ((size_t)1000)

static char directory[] = "/tmp/skewgate-file-XXXXXX";
static int below = -1;

static int enter(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL || chdir(directory) != 0 ? -1 : 0;
}

static int leave(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof command, "%s", directory);
	return chdir("/") == 0 && rmdir(command) == 0 ? 0 : -1;
}

/* Removes what a test has made, so that the next one begins with nothing. */
static int clean(void **state)
{
	pid_t child = fork();

	(void)state;
	sg_cleanup_close(&below);
	below = -1;
	if (child == 0) {
		execlp("find", "find", directory, "-mindepth", "1", "-delete", NULL);
		_exit(127);
	}
	int status = 0;
	return waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void expect(const char *path, const char *text)
{
	char buffer[LIMIT];
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	size_t size = fread(buffer, 1, sizeof buffer - 1, file);
	buffer[size] = '\0';
	fclose(file);
	assert_string_equal(buffer, text);
}

static size_t count_entries(const char *path)
{
	DIR *entries = opendir(path);
	size_t count = 0;

	assert_non_null(entries);
	while (readdir(entries) != NULL)
		count++;
	closedir(entries);
	return count - 2;
}

static void replace(const char *path, const char *text)
{
	sg_auto_file struct sg_file file = SG_NO_FILE;
	struct sg_error error;

	assert_done(sg_file_read(below, path, LIMIT, &file, &error), error);
	assert_done(sg_file_replace(&file, text, strlen(text), &error), error);
	assert_string_equal(file.bytes, text);
	assert_true(sg_file_is_unchanged(&file));
}

static void refuse(const char *path, const char *code)
{
	sg_auto_file struct sg_file file = SG_NO_FILE;
	struct sg_error error;

	assert_int_equal(sg_file_read(below, path, LIMIT, &file, &error), -1);
	assert_string_equal(error.code, code);
	assert_non_null(strstr(error.text, path));
}

static void test_plain(void **state)
{
	struct stat before;
	struct stat after;

	(void)state;
	put("f", "old");
	assert_int_equal(chmod("f", 0640), 0);
	assert_int_equal(stat("f", &before), 0);
	replace("f", "a new text");
	expect("f", "a new text");
	assert_int_equal(stat("f", &after), 0);
	assert_int_equal(after.st_mode, before.st_mode);
	assert_int_equal(after.st_uid, before.st_uid);
	assert_int_not_equal(after.st_ino, before.st_ino);
	replace("f", "");
	expect("f", "");
	assert_int_equal(count_entries("."), 1);
}

static void test_odd_modes(void **state)
{
	static const mode_t modes[] = {0400, 0444, 0600, 0666, 0755, 04755, 01600};

	(void)state;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		struct stat after;

		put("f", "old");
		assert_int_equal(chmod("f", modes[i]), 0);
		replace("f", "new");
		assert_int_equal(stat("f", &after), 0);
		assert_int_equal(after.st_mode & 07777, modes[i]);
		assert_int_equal(unlink("f"), 0);
	}
}

static void test_links(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(mkdir("d/e", 0755), 0);
	put("d/f", "old");
	assert_int_equal(symlink("../../l", "d/e/l"), 0);
	assert_int_equal(symlink("d/f", "l"), 0);
	replace("d/e/l", "new");
	expect("d/f", "new");
	assert_int_equal(lstat("l", &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_int_equal(count_entries("d"), 2);

	assert_int_equal(symlink("loop", "loop"), 0);
	refuse("loop", "file-unreadable");
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	refuse("dangling", "file-missing");
	assert_int_equal(access("nowhere", F_OK), -1);
}

static void test_hard_link(void **state)
{
	(void)state;
	put("f", "old");
	assert_int_equal(link("f", "g"), 0);
	replace("f", "new");
	expect("f", "new");
	expect("g", "old");
}

static void test_attributes(void **state)
{
	char value[16] = "";

	(void)state;
	put("f", "old");
	bool has_attributes = setxattr("f", "user.note", "kept", 4, 0) == 0;
	if (!has_attributes)
		assert_int_equal(errno, ENOTSUP); /* this file system has none */
	replace("f", "new");
	if (has_attributes) {
		assert_int_equal(getxattr("f", "user.note", value, sizeof value), 4);
		assert_memory_equal(value, "kept", 4);
	}
}

static void test_not_a_file(void **state)
{
	(void)state;
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(mkfifo("p", 0600), 0);
	refuse("d", "file-not-regular");
	refuse("d/", "file-not-regular");
	refuse("p", "file-not-regular"); /* and without waiting for a writer */
	refuse("missing", "file-missing");
	refuse("missing/f", "file-missing");
	put("f", "x");
	refuse("f/g", "file-missing");
}

static void test_limit(void **state)
{
	sg_auto_file struct sg_file file = SG_NO_FILE;
	struct sg_error error;
	char text[LIMIT + 2];

	(void)state;
	memset(text, 'x', sizeof text);
	text[LIMIT] = '\0';
	put("f", text);
	assert_done(sg_file_read(-1, "f", LIMIT, &file, &error), error);
	assert_int_equal(file.size, LIMIT);
	text[LIMIT] = 'x';
	text[LIMIT + 1] = '\0';
	put("f", text);
	refuse("f", "file-too-big");
}

/* Somebody else writes between our reading and our writing. */
static void test_concurrent_writer(void **state)
{
	static const char *const ways[] = {"in place", "by rename", "removed"};

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		sg_auto_file struct sg_file file = SG_NO_FILE;
		struct sg_error error;

		put("f", "old");
		assert_done(sg_file_read(-1, "f", LIMIT, &file, &error), error);
		if (i == 0) {
			put("f", "abc"); /* the same length, the same inode */
		} else if (i == 1) {
			put("g", "old");
			assert_int_equal(rename("g", "f"), 0);
		} else {
			assert_int_equal(unlink("f"), 0);
		}
		assert_false(sg_file_is_unchanged(&file));
		assert_int_equal(sg_file_replace(&file, "new", 3, &error), -1);
		assert_string_equal(error.code,
		                    i == 2 ? "file-unwritable" : "file-changed");
		if (i != 2)
			expect("f", i == 0 ? "abc" : "old");
		assert_int_equal(count_entries("."), i == 2 ? 0 : 1);
	}
}

/* What a killed run has left is gone after the next one. */
static void test_leftovers(void **state)
{
	(void)state;
	put("f", "old");
	put(".f.skewgate-0123456789abcdef", "half");
	put(".f.skewgate-mine", "not ours");
	put(".g.skewgate-0123456789abcdef", "another's");
	replace("f", "new");
	assert_int_equal(count_entries("."), 3);
	assert_int_equal(access(".f.skewgate-0123456789abcdef", F_OK), -1);
}

static void test_below_root(void **state)
{
	(void)state;
	assert_int_equal(mkdir("root", 0755), 0);
	assert_int_equal(mkdir("root/etc", 0755), 0);
	assert_int_equal(mkdir("etc", 0755), 0);
	put("root/etc/real", "old");
	put("etc/real", "outside");
	put("root/etc/far", "old");
	assert_int_equal(symlink("/etc/real", "root/etc/absolute"), 0);
	assert_int_equal(symlink("../../../../etc/far", "root/etc/relative"), 0);
	assert_int_equal(symlink("/etc", "root/link"), 0);
	below = open("root", O_RDONLY | O_DIRECTORY);
	assert_true(below >= 0);

	replace("/etc/absolute", "one");
	expect("root/etc/real", "one");
	expect("etc/real", "outside");
	replace("/etc/relative", "two");
	expect("root/etc/far", "two");
	replace("/link/real", "three");
	expect("root/etc/real", "three");
	replace("../../etc/real", "four");
	expect("root/etc/real", "four");
	expect("etc/real", "outside");
	assert_int_equal(symlink("/etc/passwd", "root/etc/out"), 0);
	refuse("/etc/out", "file-missing"); /* the host's is not seen */
}

static void test_store(void **state)
{
	struct sg_error error;
	struct stat status;

	(void)state;
	assert_int_equal(mkdir("root", 0755), 0);
	below = open("root", O_RDONLY | O_DIRECTORY);
	assert_done(sg_file_store(below, "/var/lib/x/note", 0600, "abc", 3, &error),
	            error);
	expect("root/var/lib/x/note", "abc");
	assert_int_equal(stat("root/var/lib/x/note", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_done(sg_file_store(below, "/var/lib/x/note", 0600, "d", 1, &error),
	            error);
	expect("root/var/lib/x/note", "d");
	assert_done(sg_file_remove(below, "/var/lib/x/note", &error), error);
	assert_done(sg_file_remove(below, "/var/lib/x/note", &error), error);
	assert_done(sg_file_remove(below, "/none/at/all", &error), error);
	assert_int_equal(count_entries("root/var/lib/x"), 0);

	put("file", "x");
	assert_int_equal(sg_file_store(-1, "file/note", 0600, "abc", 3, &error),
	                 -1);
	assert_string_equal(error.code, "file-unwritable");
}

static void test_split(void **state)
{
	static const struct {
		const char *path, *directory, *name;
	} cases[] = {
		{"name", ".", "name"},
		{"/name", "/", "name"},
		{"a/name", "a", "name"},
		{"/a/b/name", "/a/b", "name"},
		{"a//name", "a/", "name"},
		{"/a/..", "/a", ".."},
		{"/", NULL, ""},
		{"/a/", NULL, ""},
		{"", NULL, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char path[32];
		char *name = NULL;

		snprintf(path, sizeof path, "%s", cases[i].path);
		const char *found = sg_path_split(path, &name);
		assert_string_equal(name, cases[i].name);
		assert_int_equal(found == NULL, cases[i].directory == NULL);
		if (found != NULL)
			assert_string_equal(found, cases[i].directory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_plain, clean),
		cmocka_unit_test_teardown(test_odd_modes, clean),
		cmocka_unit_test_teardown(test_links, clean),
		cmocka_unit_test_teardown(test_hard_link, clean),
		cmocka_unit_test_teardown(test_attributes, clean),
		cmocka_unit_test_teardown(test_not_a_file, clean),
		cmocka_unit_test_teardown(test_limit, clean),
		cmocka_unit_test_teardown(test_concurrent_writer, clean),
		cmocka_unit_test_teardown(test_leftovers, clean),
		cmocka_unit_test_teardown(test_below_root, clean),
		cmocka_unit_test_teardown(test_store, clean),
		cmocka_unit_test(test_split),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
