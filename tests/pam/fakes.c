/*
 * A host of a test's own making, for whatever program loads this first: the
 * time, the kernel's word on the clock, and where /run and the state are.
 *
 * FAKE_NOW      the time, in microseconds since the epoch
 * FAKE_BOOTTIME the time since boot, in microseconds
 * FAKE_KERNEL   "MAXERROR ESTERROR" of adjtimex(2) in microseconds, or "denied"
 * FAKE_ROOT     a folder that has FAKE_PATHS, a list separated by colons
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int clock_gettime(clockid_t clock, struct timespec *now)
{
	const char *fake = NULL;

	if (clock == CLOCK_REALTIME)
		fake = getenv("FAKE_NOW");
	else if (clock == CLOCK_BOOTTIME)
		fake = getenv("FAKE_BOOTTIME");
	if (fake == NULL)
		return (int)syscall(SYS_clock_gettime, clock, now);
	long long time = strtoll(fake, NULL, 10);
	now->tv_sec = time / 1000000;
	now->tv_nsec = time % 1000000 * 1000;
	return 0;
}

EXPORTED int adjtimex(struct timex *kernel)
{
	const char *fake = getenv("FAKE_KERNEL");

	if (fake == NULL)
		return (int)syscall(SYS_adjtimex, kernel);
	if (strcmp(fake, "denied") == 0) {
		errno = EPERM;
		return -1;
	}
	memset(kernel, 0, sizeof *kernel);
	return sscanf(fake, "%ld %ld", &kernel->maxerror, &kernel->esterror) == 2
	           ? TIME_OK
	           : TIME_ERROR;
}

/* ---- paths -------------------------------------------------------------- */

static bool is_faked(const char *path)
{
	const char *faked = getenv("FAKE_PATHS");

	while (faked != NULL && *faked != '\0') {
		size_t length = strcspn(faked, ":");

		if (strncmp(path, faked, length) == 0)
			return true;
		faked += length + (faked[length] == ':');
	}
	return false;
}

static const char *find(const char *path, char found[4096])
{
	const char *root = getenv("FAKE_ROOT");

	if (root == NULL || !is_faked(path))
		return path;
	snprintf(found, 4096, "%s%s", root, path);
	return found;
}

#define MODE_OF(flags)                                                         \
	va_list arguments;                                                         \
	va_start(arguments, flags);                                                \
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;      \
	va_end(arguments)

EXPORTED int open(const char *path, int flags, ...)
{
	char found[4096];
	MODE_OF(flags);

	return (int)syscall(SYS_openat, AT_FDCWD, find(path, found), flags, mode);
}

EXPORTED int openat(int folder, const char *path, int flags, ...)
{
	char found[4096];
	MODE_OF(flags);

	return (int)syscall(SYS_openat, folder,
	                    folder == AT_FDCWD ? find(path, found) : path, flags,
	                    mode);
}

EXPORTED int mkdirat(int folder, const char *path, mode_t mode)
{
	char found[4096];

	return (int)syscall(SYS_mkdirat, folder,
	                    folder == AT_FDCWD ? find(path, found) : path, mode);
}
