/* SPDX-License-Identifier: MIT */
/*
 * Files that a login rests on: the policy, the keys, the clock record.
 *
 * Whoever can write one of them, or put another in its place, decides who logs
 * in. So what root and the caller alone did not write is not read at all; and
 * since whoever can write to a directory can rename what is in it, the path is
 * walked from the root, one directory at a time, each held open while the next
 * is looked up: nothing that was checked can be exchanged afterwards.
 */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Links on one path; as many as the kernel follows (path_resolution(7)). */
#define MAX_LINKS 40

/* Where the walk has come to. */
struct walk {
	char path[2 * PATH_MAX]; /* links replaced by their targets so far */
	size_t next;             /* the next component begins here in it */
	int directory;           /* what is before that, open */
	unsigned links;
};

const char *sg_distrust(const struct stat *status)
{
	if (status->st_uid != 0 && status->st_uid != geteuid())
		return "is owned by somebody else than root or the user of this "
			   "process; give it to root";
	if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "can be written by others than its owner; chmod go-w it";
	return NULL;
}

static int fail_to_open(const char *path, struct sg_error *error)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return sg_fail(error, "file-missing",
		               "%s does not exist; create it, or name the right file",
		               path);
	if (errno == ELOOP)
		return sg_fail(error, "file-not-regular",
		               "%s is a symbolic link; name the file itself", path);
	return sg_fail(error, "file-unreadable",
	               "%s cannot be read: %s%s; check its path and permissions",
	               path, strerror(errno),
	               errno == EACCES && geteuid() == 0 ? ", selinux?" : "");
}

/* ---- the walk ----------------------------------------------------------- */

static void free_walk(struct walk *walk)
{
	sg_cleanup_close(&walk->directory);
}

#define auto_walk __attribute__((cleanup(free_walk)))

static int check(const struct walk *walk, const struct stat *status,
                 const char *path, struct sg_error *error)
{
	struct stat relaxed = *status;
	bool root = walk->next == 0;

	/* In a sticky directory nobody can rename what is not theirs; and a link
	 * has no mode of its own. */
	if ((S_ISDIR(status->st_mode) && (status->st_mode & S_ISVTX) != 0) ||
	    S_ISLNK(status->st_mode))
		relaxed.st_mode &= ~(mode_t)(S_IWGRP | S_IWOTH);
	const char *reason = sg_distrust(&relaxed);

	if (reason == NULL)
		return 0;
	return sg_fail(error, "file-untrusted", "%.*s, on the path of %s, %s",
	               root ? 1 : (int)walk->next, root ? "/" : walk->path, path,
	               reason);
}

/* Begins at the root; again, for a link to an absolute path. */
static int begin(struct walk *walk, const char *path, struct sg_error *error)
{
	struct stat status;

	sg_cleanup_close(&walk->directory);
	walk->next = 0;
	walk->directory = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (walk->directory < 0 || fstat(walk->directory, &status) != 0)
		return fail_to_open(path, error);
	return check(walk, &status, path, error);
}

/* Puts the target of a link in its place, which begins at `start` and ends
 * where the walk has come to. */
static int follow(struct walk *walk, int link, size_t start, const char *path,
                  struct sg_error *error)
{
	char target[PATH_MAX];
	char rest[sizeof walk->path];
	ssize_t size = readlinkat(link, "", target, sizeof target - 1);

	if (size <= 0)
		return fail_to_open(path, error);
	target[size] = '\0';
	if (target[0] == '/')
		start = 0;
	snprintf(rest, sizeof rest, "%s", walk->path + walk->next);
	int length = snprintf(walk->path + start, sizeof walk->path - start, "%s%s",
	                      target, rest);
	if (++walk->links > MAX_LINKS ||
	    (size_t)length >= sizeof walk->path - start)
		return sg_fail(error, "file-unreadable",
		               "%s cannot be read: there are too many links on its "
		               "path; name the file itself",
		               path);
	walk->next = start;
	return start > 0 ? 0 : begin(walk, path, error);
}

/* Walks over one component, a directory or a link to one, if it is trusted. */
static int step(struct walk *walk, const char *path, struct sg_error *error)
{
	size_t start = walk->next + strspn(walk->path + walk->next, "/");
	struct stat status;

	walk->next = start + strcspn(walk->path + start, "/");
	sg_auto_free char *name = strndup(walk->path + start, walk->next - start);
	if (name == NULL)
		return sg_fail_memory(error);
	sg_auto_close int found =
		openat(walk->directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (found < 0 || fstat(found, &status) != 0)
		return fail_to_open(path, error);
	if (check(walk, &status, path, error) != 0)
		return -1;
	if (S_ISLNK(status.st_mode))
		return follow(walk, found, start, path, error);
	/* What is no directory fails with the next component. */
	int left = walk->directory;
	walk->directory = found;
	found = left;
	return 0;
}

/* Walks to the directory of the file, whose name there is what is left. */
static const char *walk_to(struct walk *walk, const char *path,
                           struct sg_error *error)
{
	char here[PATH_MAX] = "";

	if (path[0] != '/' && getcwd(here, sizeof here) == NULL) {
		(void)fail_to_open(path, error);
		return NULL;
	}
	int length = snprintf(walk->path, sizeof walk->path, "%s%s%s", here,
	                      here[0] != '\0' ? "/" : "", path);
	if ((size_t)length >= sizeof walk->path) {
		errno = ENAMETOOLONG;
		(void)fail_to_open(path, error);
		return NULL;
	}
	int failed = begin(walk, path, error);
	for (;;) {
		const char *rest = walk->path + walk->next;
		const char *name = rest + strspn(rest, "/");

		if (failed != 0 || strchr(name, '/') == NULL)
			return failed == 0 ? name : NULL;
		failed = step(walk, path, error);
	}
}

int sg_trusted_read(const char *path, size_t limit, char **bytes, size_t *size,
                    struct sg_error *error)
{
	auto_walk struct walk walk = {.directory = -1};
	struct stat status;

	const char *name = walk_to(&walk, path, error);
	if (name == NULL)
		return -1;
	/* O_NONBLOCK: a FIFO in the file's place must not make a login wait. */
	sg_auto_close int descriptor =
		openat(walk.directory, name,
	           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (descriptor < 0 || fstat(descriptor, &status) != 0)
		return fail_to_open(path, error);
	if (!S_ISREG(status.st_mode))
		return sg_fail(error, "file-not-regular",
		               "%s is not a regular file; name the file itself", path);
	const char *reason = sg_distrust(&status);
	if (reason != NULL)
		return sg_fail(error, "file-untrusted", "%s %s", path, reason);
	*bytes = sg_read_all(descriptor, limit, size);
	if (*bytes == NULL && errno == EFBIG)
		return sg_fail(error, "file-too-big",
		               "%s is larger than %zu bytes; name the right file", path,
		               limit);
	return *bytes != NULL ? 0 : fail_to_open(path, error);
}
