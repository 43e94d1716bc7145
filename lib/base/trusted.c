/*
 * Files that a login rests on: the policy, the keys.
 *
 * Whoever can write one of them, or put another in its place, decides who logs
 * in. So what root and the caller alone did not write is not read at all.
 */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Far more than ten thousand keys; a bound for what a login may cost. */
#define MAX_SIZE ((size_t)16 * 1024 * 1024)

/* NULL, or what is wrong with the owner and mode of a file or directory. */
static const char *distrust(const struct stat *status)
{
	bool sticky = S_ISDIR(status->st_mode) && (status->st_mode & S_ISVTX) != 0;

	if (status->st_uid != 0 && status->st_uid != geteuid())
		return "is owned by somebody else than root or the user of this "
			   "process; give it to root";
	if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky)
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
	               "%s cannot be read: %s; check its path and permissions",
	               path, strerror(errno));
}

/* Opens the directory that holds `path`, and checks it. */
static int open_directory(const char *path, struct sg_error *error)
{
	const char *slash = strrchr(path, '/');
	sg_auto_free char *parent = slash == NULL ? strdup(".")
	                            : slash == path
	                                ? strdup("/")
	                                : strndup(path, (size_t)(slash - path));
	struct stat status;

	if (parent == NULL)
		return sg_fail_memory(error);
	int directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return fail_to_open(path, error);
	const char *reason =
		fstat(directory, &status) != 0 ? strerror(errno) : distrust(&status);
	if (reason == NULL)
		return directory;
	close(directory);
	return sg_fail(error, "file-untrusted", "the directory of %s %s", path,
	               reason);
}

int sg_trusted_read(const char *path, char **bytes, size_t *size,
                    struct sg_error *error)
{
	const char *slash = strrchr(path, '/');
	struct stat status;

	sg_auto_close int directory = open_directory(path, error);
	if (directory < 0)
		return -1;
	/* O_NONBLOCK: a FIFO in the file's place must not make a login wait. */
	sg_auto_close int descriptor =
		openat(directory, slash == NULL ? path : slash + 1,
	           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (descriptor < 0 || fstat(descriptor, &status) != 0)
		return fail_to_open(path, error);
	if (!S_ISREG(status.st_mode))
		return sg_fail(error, "file-not-regular",
		               "%s is not a regular file; name the file itself", path);
	const char *reason = distrust(&status);
	if (reason != NULL)
		return sg_fail(error, "file-untrusted", "%s %s", path, reason);
	*bytes = sg_read_all(descriptor, MAX_SIZE, size);
	if (*bytes == NULL && errno == EFBIG)
		return sg_fail(error, "file-too-big",
		               "%s is larger than %zu bytes; name the right file", path,
		               MAX_SIZE);
	return *bytes != NULL ? 0 : fail_to_open(path, error);
}
