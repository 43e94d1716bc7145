/* SPDX-License-Identifier: MIT */
/*
 * Files: read whole, replaced atomically.
 *
 * A config that a daemon reads at boot must be the old text or the new one at
 * every instant, whatever fails or is killed. So nothing is ever written in
 * place: a new file takes the old one's attributes, is synced, and is renamed
 * over it. Paths are resolved below a root directory, so that the same code
 * edits a running host and the tree of an image.
 */
#include "base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* As many symbolic links as the kernel itself follows (path_resolution(7)). */
#define MAX_LINKS 40

/* The kernel's own limits for one attribute and for a list of names. */
#define MAX_ATTRIBUTE 65536

#define SUFFIX ".skewgate-"
#define SUFFIX_DIGITS 16

static int open_below(int root, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = root < 0 ? 0 : RESOLVE_IN_ROOT,
	};

	/* Without a root there is nothing to hold the path back from, and
	 * kernels before 5.6 do not know openat2. */
	if (root < 0)
		return open(path, flags | O_CLOEXEC, mode);
	return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

int sg_open_below(int root, const char *path, int flags)
{
	return open_below(root, path, flags, 0);
}

const char *sg_path_split(char *path, char **name)
{
	char *slash = strrchr(path, '/');

	*name = slash == NULL ? path : slash + 1;
	if (**name == '\0')
		return NULL;
	if (slash == NULL)
		return ".";
	if (slash == path)
		return "/";
	*slash = '\0';
	return path;
}

/*
 * Finds the directory and the name behind every symbolic link: rename(2) needs
 * both, and would replace the link itself otherwise. Returns -1 and errno.
 */
static int resolve(int root, const char *path, int *directory, char **name)
{
	sg_auto_free char *now = strdup(path);

	for (int links = 0; now != NULL && links <= MAX_LINKS; links++) {
		sg_auto_free char *copy = strdup(now);
		char *last = NULL;
		char target[PATH_MAX];

		if (copy == NULL)
			return -1;
		const char *parent = sg_path_split(copy, &last);
		if (parent == NULL) {
			errno = EISDIR;
			return -1;
		}
		int opened = open_below(root, parent, O_RDONLY | O_DIRECTORY, 0);
		if (opened < 0)
			return -1;
		ssize_t length = readlinkat(opened, last, target, sizeof target - 1);
		if (length < 0 && errno == EINVAL) { /* not a link: found */
			*directory = opened;
			*name = strdup(last);
			if (*name == NULL)
				close(opened);
			return *name == NULL ? -1 : 0;
		}
		int saved = errno;
		close(opened);
		if (length < 0) {
			errno = saved;
			return -1;
		}
		target[length] = '\0';

		char *next = NULL;
		if (target[0] == '/')
			next = strdup(target);
		else if (asprintf(&next, "%s/%s", parent, target) < 0)
			next = NULL;
		free(now);
		now = next;
	}
	errno = now == NULL ? ENOMEM : ELOOP;
	return -1;
}

static int fail_to_read(const char *path, struct sg_error *error)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return sg_fail(
			error, "file-missing",
			"%s does not exist; name the right file, or create it first", path);
	if (errno == EISDIR)
		return sg_fail(error, "file-not-regular",
		               "%s is not a regular file; name the file itself", path);
	return sg_fail(error, "file-unreadable",
	               "%s cannot be read: %s; check its path and permissions",
	               path, strerror(errno));
}

static ssize_t read_some(int descriptor, char *buffer, size_t size)
{
	ssize_t got;

	do
		got = read(descriptor, buffer, size);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Room for what is left of the file, as far as that is known, and one byte
 * more, to see its end. */
static size_t first_room(int descriptor, size_t limit)
{
	struct stat status;

	if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
	    (uint64_t)status.st_size < limit)
		return (size_t)status.st_size + 1;
	return limit + 1;
}

char *sg_read_all(int descriptor, size_t limit, size_t *size)
{
	size_t room = first_room(descriptor, limit);
	sg_auto_free char *bytes = malloc(room + 1);
	size_t total = 0;
	ssize_t got = 1;

	while (bytes != NULL && got != 0 && total <= limit) {
		if (total == room) { /* it has grown meanwhile */
			room = limit + 1;
			char *more = realloc(bytes, room + 1);
			if (more == NULL)
				return NULL;
			bytes = more;
		}
		got = read_some(descriptor, bytes + total, room - total);
		if (got < 0)
			return NULL;
		total += (size_t)got;
	}
	if (bytes == NULL)
		return NULL;
	if (total > limit) {
		errno = EFBIG;
		return NULL;
	}
	bytes[total] = '\0';
	*size = total;

	char *exact = realloc(bytes, total + 1);
	if (exact != NULL)
		bytes = NULL;
	return exact;
}

int sg_file_read(int root, const char *path, size_t limit, struct sg_file *file,
                 struct sg_error *error)
{
	sg_auto_file struct sg_file found = SG_NO_FILE;

	found.path = strdup(path);
	if (found.path == NULL)
		return sg_fail_memory(error);
	if (resolve(root, path, &found.directory, &found.name) != 0)
		return fail_to_read(path, error);

	/* O_NONBLOCK: a FIFO in the file's place must not make us wait. */
	sg_auto_close int descriptor =
		openat(found.directory, found.name,
	           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (descriptor < 0 || fstat(descriptor, &found.status) != 0)
		return fail_to_read(path, error);
	if (!S_ISREG(found.status.st_mode)) {
		errno = EISDIR;
		return fail_to_read(path, error);
	}
	found.bytes = sg_read_all(descriptor, limit, &found.size);
	if (found.bytes == NULL && errno == EFBIG)
		return sg_fail(error, "file-too-big",
		               "%s is larger than %zu bytes, which no ntp.conf is; "
		               "name the right file",
		               path, limit);
	if (found.bytes == NULL)
		return fail_to_read(path, error);
	*file = found;
	found = SG_NO_FILE;
	return 0;
}

bool sg_file_is_unchanged(const struct sg_file *file)
{
	sg_auto_close int descriptor =
		openat(file->directory, file->name,
	           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat now;
	size_t size = 0;

	if (descriptor < 0 || fstat(descriptor, &now) != 0 ||
	    now.st_dev != file->status.st_dev ||
	    now.st_ino != file->status.st_ino || now.st_size != (off_t)file->size)
		return false;
	sg_auto_free char *bytes = sg_read_all(descriptor, file->size, &size);
	return bytes != NULL && size == file->size &&
	       memcmp(bytes, file->bytes, size) == 0;
}

static int write_all(int descriptor, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t put = write(descriptor, bytes, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		bytes += put;
		size -= (size_t)put;
	}
	return 0;
}

/* Copies one attribute, unless the new file was born with the same value. */
static int copy_attribute(int from, int to, const char *name, char *value,
                          char *other)
{
	ssize_t size = fgetxattr(from, name, value, MAX_ATTRIBUTE);

	if (size < 0)
		return -1;
	if (fgetxattr(to, name, other, MAX_ATTRIBUTE) == size &&
	    memcmp(value, other, (size_t)size) == 0)
		return 0;
	return fsetxattr(to, name, value, (size_t)size, 0);
}

/* ACLs and SELinux labels are extended attributes too. */
static int copy_attributes(int from, int to)
{
	sg_auto_free char *names = malloc((size_t)3 * MAX_ATTRIBUTE);

	if (names == NULL)
		return -1;
	char *value = names + MAX_ATTRIBUTE;
	char *other = value + MAX_ATTRIBUTE;
	ssize_t length = flistxattr(from, names, MAX_ATTRIBUTE);
	if (length < 0)
		return errno == ENOTSUP ? 0 : -1;
	for (const char *name = names; name < names + length;
	     name += strlen(name) + 1) {
		/* Hashes of the old content, which the kernel makes anew. */
		if (strcmp(name, "security.ima") == 0 ||
		    strcmp(name, "security.evm") == 0)
			continue;
		if (copy_attribute(from, to, name, value, other) != 0)
			return -1;
	}
	return 0;
}

/* Removes what killed runs left beside `name`. Should one of them still be
 * alive, its rename fails, which is safe. */
static void remove_leftovers(int directory, const char *name)
{
	sg_auto_free char *prefix = NULL;
	struct dirent **entries = NULL;

	if (asprintf(&prefix, ".%s" SUFFIX, name) < 0) {
		prefix = NULL;
		return;
	}
	size_t length = strlen(prefix);
	int count = scandirat(directory, ".", &entries, NULL, NULL);
	for (int i = 0; i < count; i++) {
		const char *found = entries[i]->d_name;

		if (strncmp(found, prefix, length) == 0 &&
		    strlen(found + length) == SUFFIX_DIGITS &&
		    strspn(found + length, "0123456789abcdef") == SUFFIX_DIGITS)
			unlinkat(directory, found, 0);
		free(entries[i]);
	}
	free(entries);
}

/* Makes a file beside `name` that nobody else has open. Its name is random, so
 * that two runs can never write to the same one. */
static int open_temporary(int directory, const char *name, char **temporary)
{
	uint64_t random;

	remove_leftovers(directory, name);
	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return -1;
	if (asprintf(temporary, ".%s" SUFFIX "%0*llx", name, SUFFIX_DIGITS,
	             (unsigned long long)random) < 0) {
		*temporary = NULL;
		return -1;
	}
	return openat(directory, *temporary,
	              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* Fills and syncs the temporary file; `like` lends owner, mode and attributes
 * unless it is -1. */
static int fill_temporary(int descriptor, int like, const char *bytes,
                          size_t size)
{
	struct stat model;

	if (like >= 0 && (fstat(like, &model) != 0 ||
	                  fchown(descriptor, model.st_uid, model.st_gid) != 0 ||
	                  fchmod(descriptor, model.st_mode & 07777) != 0 ||
	                  copy_attributes(like, descriptor) != 0))
		return -1;
	return write_all(descriptor, bytes, size) == 0 && fsync(descriptor) == 0
	           ? 0
	           : -1;
}

static int fail_to_write(const char *path, struct sg_error *error)
{
	if (errno == EBUSY)
		return sg_fail(
			error, "file-not-replaceable",
			"%s cannot be replaced by a rename, it is a mount point; mount its "
			"directory instead, or edit the file outside",
			path);
	return sg_fail(error, "file-unwritable",
	               "%s cannot be written: %s; nothing was changed", path,
	               strerror(errno));
}

int sg_file_replace(struct sg_file *file, const char *bytes, size_t size,
                    struct sg_error *error)
{
	sg_auto_free char *copy = malloc(size + 1);
	sg_auto_free char *temporary = NULL;
	struct stat status;

	if (copy == NULL)
		return sg_fail_memory(error);
	memcpy(copy, bytes, size);
	copy[size] = '\0';

	sg_auto_close int like =
		openat(file->directory, file->name,
	           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (like < 0)
		return fail_to_write(file->path, error);
	sg_auto_close int descriptor =
		open_temporary(file->directory, file->name, &temporary);
	if (descriptor < 0)
		return fail_to_write(file->path, error);
	if (fill_temporary(descriptor, like, bytes, size) != 0 ||
	    fstat(descriptor, &status) != 0) {
		fail_to_write(file->path, error);
		unlinkat(file->directory, temporary, 0);
		return -1;
	}
	if (!sg_file_is_unchanged(file)) {
		unlinkat(file->directory, temporary, 0);
		return sg_fail(error, "file-changed",
		               "%s was changed by somebody else meanwhile; it was left "
		               "as it is, run skewgate again",
		               file->path);
	}
	if (renameat(file->directory, temporary, file->directory, file->name) !=
	    0) {
		fail_to_write(file->path, error);
		unlinkat(file->directory, temporary, 0);
		return -1;
	}
	free(file->bytes);
	file->bytes = copy;
	copy = NULL;
	file->size = size;
	file->status = status;
	if (fsync(file->directory) != 0)
		return sg_fail(error, "file-not-synced",
		               "the directory of %s cannot be synced: %s; a crash may "
		               "undo the change",
		               file->path, strerror(errno));
	return 0;
}

/* Makes the directories that lead to `path`. */
static int make_parents(int root, const char *path)
{
	sg_auto_free char *part = strdup(path);

	if (part == NULL)
		return -1;
	for (char *slash = strchr(part + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		sg_auto_free char *copy = strndup(part, (size_t)(slash - part));
		char *name = NULL;

		if (copy == NULL)
			return -1;
		const char *parent = sg_path_split(copy, &name);
		if (parent == NULL)
			continue; /* a doubled slash */
		sg_auto_close int directory =
			open_below(root, parent, O_RDONLY | O_DIRECTORY, 0);
		if (directory < 0 ||
		    (mkdirat(directory, name, 0755) != 0 && errno != EEXIST))
			return -1;
	}
	return 0;
}

int sg_file_store(int root, const char *path, mode_t mode, const char *bytes,
                  size_t size, struct sg_error *error)
{
	sg_auto_free char *copy = strdup(path);
	sg_auto_free char *temporary = NULL;
	char *name = NULL;

	if (copy == NULL)
		return sg_fail_memory(error);
	const char *parent = sg_path_split(copy, &name);
	if (parent == NULL || make_parents(root, path) != 0)
		return fail_to_write(path, error);
	sg_auto_close int directory =
		open_below(root, parent, O_RDONLY | O_DIRECTORY, 0);
	if (directory < 0)
		return fail_to_write(path, error);
	sg_auto_close int descriptor = open_temporary(directory, name, &temporary);
	if (descriptor < 0)
		return fail_to_write(path, error);
	if (fchmod(descriptor, mode) != 0 ||
	    fill_temporary(descriptor, -1, bytes, size) != 0 ||
	    renameat(directory, temporary, directory, name) != 0) {
		fail_to_write(path, error);
		unlinkat(directory, temporary, 0);
		return -1;
	}
	return fsync(directory) == 0 ? 0 : fail_to_write(path, error);
}

int sg_file_remove(int root, const char *path, struct sg_error *error)
{
	sg_auto_free char *copy = strdup(path);
	char *name = NULL;

	if (copy == NULL)
		return sg_fail_memory(error);
	const char *parent = sg_path_split(copy, &name);
	sg_auto_close int directory =
		parent == NULL ? -1
					   : open_below(root, parent, O_RDONLY | O_DIRECTORY, 0);
	if ((directory < 0 || unlinkat(directory, name, 0) != 0) && errno != ENOENT)
		return fail_to_write(path, error);
	return 0;
}

void sg_file_close(struct sg_file *file)
{
	if (file->directory >= 0)
		close(file->directory);
	free(file->path);
	free(file->name);
	free(file->bytes);
	*file = SG_NO_FILE;
}

void sg_open_descriptors(void)
{
	int descriptor;

	do
		descriptor = open("/dev/null", O_RDWR);
	while (descriptor >= 0 && descriptor <= STDERR_FILENO);
	if (descriptor >= 0)
		close(descriptor);
}
