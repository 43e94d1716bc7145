/* SPDX-License-Identifier: MIT */
/*
 * A host of a test's own making, for whatever program loads this first: the
 * time, the kernel's word on the clock, and where /run and the state are.
 *
 * FAKE_NOW      the time, in microseconds since the epoch
 * FAKE_BOOTTIME the time since boot, in microseconds
 * FAKE_ELAPSED  what CLOCK_MONOTONIC begins with, in microseconds: it stands
 *               still, except that FAKE_WORK of them pass whenever something is
 *               logged, FAKE_TYPING before each answer, and that sleeping until
 *               an instant moves it there
 * FAKE_SIGNALS  so many times a signal ends such a sleep half way
 * FAKE_KERNEL   "MAXERROR ESTERROR" of adjtimex(2) in microseconds, or "denied"
 * FAKE_CRYPTO   "denied": OpenSSL cannot begin to verify a signature
 * FAKE_ROOT     a directory that has FAKE_PATHS, a list separated by colons
 * FAKE_DENIED   a path that SELinux forbids
 *
 * It also counts the signatures that are verified.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
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

static long long number(const char *name)
{
	const char *text = getenv(name);

	return text == NULL ? 0 : strtoll(text, NULL, 10);
}

/* ---- the clocks ---------------------------------------------------------- */

static long long elapsed = -1;
static long long signals = -1;

long long fakes_elapsed(void);
long long fakes_verified(void);
void fakes_pass(const char *duration);

/* For tests/pam/login. */
EXPORTED long long fakes_elapsed(void)
{
	if (elapsed < 0)
		elapsed = number("FAKE_ELAPSED");
	return elapsed;
}

EXPORTED void fakes_pass(const char *duration)
{
	elapsed = fakes_elapsed() + number(duration);
}

static int tell_elapsed(struct timespec *now)
{
	now->tv_sec = fakes_elapsed() / 1000000;
	now->tv_nsec = fakes_elapsed() % 1000000 * 1000;
	return 0;
}

EXPORTED int clock_nanosleep(clockid_t clock, int flags,
                             const struct timespec *end, struct timespec *left)
{
	if (clock != CLOCK_MONOTONIC || flags != TIMER_ABSTIME ||
	    getenv("FAKE_ELAPSED") == NULL)
		return -(int)syscall(SYS_clock_nanosleep, clock, flags, end, left);
	long long until = end->tv_sec * 1000000LL + end->tv_nsec / 1000;
	if (signals < 0)
		signals = number("FAKE_SIGNALS");
	if (signals > 0) {
		signals--;
		elapsed += (until - fakes_elapsed()) / 2;
		return EINTR;
	}
	if (until > fakes_elapsed())
		elapsed = until;
	return 0;
}

EXPORTED int clock_gettime(clockid_t clock, struct timespec *now)
{
	const char *fake = NULL;

	if (clock == CLOCK_MONOTONIC && getenv("FAKE_ELAPSED") != NULL)
		return tell_elapsed(now);
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

/* ---- OpenSSL --------------------------------------------------------------
 */

static long long verified;

/* For tests/pam/login. */
EXPORTED long long fakes_verified(void)
{
	return verified;
}

EXPORTED int EVP_DigestVerifyInit_ex(EVP_MD_CTX *context,
                                     EVP_PKEY_CTX **options, const char *digest,
                                     OSSL_LIB_CTX *library,
                                     const char *properties, EVP_PKEY *key,
                                     const OSSL_PARAM params[])
{
	int (*next)(EVP_MD_CTX *, EVP_PKEY_CTX **, const char *, OSSL_LIB_CTX *,
	            const char *, EVP_PKEY *, const OSSL_PARAM *) = NULL;

	if (getenv("FAKE_CRYPTO") != NULL)
		return 0;
	*(void **)(&next) = dlsym(RTLD_NEXT, "EVP_DigestVerifyInit_ex");
	return next(context, options, digest, library, properties, key, params);
}

EXPORTED int EVP_DigestVerify(EVP_MD_CTX *context,
                              const unsigned char *signature, size_t size,
                              const unsigned char *text, size_t text_size)
{
	int (*next)(EVP_MD_CTX *, const unsigned char *, size_t,
	            const unsigned char *, size_t) = NULL;

	verified++;
	*(void **)(&next) = dlsym(RTLD_NEXT, "EVP_DigestVerify");
	return next(context, signature, size, text, text_size);
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

static const char *find(const char *path, char found[PATH_MAX])
{
	const char *root = getenv("FAKE_ROOT");

	if (root == NULL || !is_faked(path))
		return path;
	snprintf(found, PATH_MAX, "%s%s", root, path);
	return found;
}

/* The absolute path of a name in an open directory. */
static const char *resolve(int directory, const char *path,
                           char whole[PATH_MAX])
{
	char link[64];
	char folder[PATH_MAX / 2];

	if (directory == AT_FDCWD || path[0] == '/')
		return path;
	snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
	ssize_t size = readlink(link, folder, sizeof folder - 1);
	if (size <= 0)
		return path;
	folder[size] = '\0';
	snprintf(whole, PATH_MAX, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder,
	         path);
	return whole;
}

#define MODE_OF(flags)                                                         \
	va_list arguments;                                                         \
	va_start(arguments, flags);                                                \
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;      \
	va_end(arguments)

EXPORTED int open(const char *path, int flags, ...)
{
	char found[PATH_MAX];
	MODE_OF(flags);

	return (int)syscall(SYS_openat, AT_FDCWD, find(path, found), flags, mode);
}

EXPORTED int openat(int folder, const char *path, int flags, ...)
{
	const char *denied = getenv("FAKE_DENIED");
	char whole[PATH_MAX];
	char found[PATH_MAX];
	MODE_OF(flags);

	const char *resolved = resolve(folder, path, whole);
	if (denied != NULL && strcmp(resolved, denied) == 0) {
		errno = EACCES;
		return -1;
	}
	const char *real = find(resolved, found);
	return (int)syscall(SYS_openat, folder, real == resolved ? path : real,
	                    flags, mode);
}

EXPORTED int mkdirat(int folder, const char *path, mode_t mode)
{
	char found[PATH_MAX];

	return (int)syscall(SYS_mkdirat, folder,
	                    folder == AT_FDCWD ? find(path, found) : path, mode);
}
