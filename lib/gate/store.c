/*
 * Used tokens: a `jti` logs in once.
 *
 * One symbolic link for each token that is still good, in one of 256 folders:
 * its name is SHA-256(iss NUL jti), its target the instant until which it
 * counts. Making one is atomic and exclusive, so that of many sshd processes
 * one is served, and there is no moment at which it is half made. It is on the
 * disk before the token is accepted.
 *
 * A link is forgotten when its instant is over. Before that the folder notes
 * the latest such instant, in the link `forgotten`: whoever steps the clock
 * back does not revive what was used before.
 */
#include "gate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Tokens that a folder remembers; a quarter of a million in all. */
#define MAX_TOKENS 1024

#define HASH_SIZE 32
#define NAME_SIZE (2 * HASH_SIZE + 1)

/* A time in microseconds, as a link's target. */
#define TARGET_SIZE 24

#define FORGOTTEN "forgotten"
#define FORGOTTEN_NEW "forgotten.new"

static int fail_store(const char *store, const char *what,
                      struct sg_error *error)
{
	return sg_fail(error, "unavailable",
	               "the used tokens in %s cannot be %s: %s; see to that folder",
	               store, what, strerror(errno));
}

static int name_token(const struct sg_claims *claims, char name[NAME_SIZE])
{
	unsigned char hash[HASH_SIZE];
	size_t issuer = strlen(claims->issuer) + 1; /* with its NUL */
	size_t id = strlen(claims->id);
	sg_auto_free char *text = malloc(issuer + id + 1);

	if (text == NULL)
		return -1;
	memcpy(text, claims->issuer, issuer);
	memcpy(text + issuer, claims->id, id);
	if (EVP_Q_digest(NULL, "SHA256", NULL, text, issuer + id, hash, NULL) != 1)
		return -1;
	for (size_t i = 0; i < HASH_SIZE; i++)
		snprintf(name + 2 * i, 3, "%02x", hash[i]);
	return 0;
}

/* The instant in a link; -1: there is none, or it is not ours. */
static sg_usec read_link(int folder, const char *name)
{
	char target[TARGET_SIZE];
	ssize_t size = readlinkat(folder, name, target, sizeof target - 1);
	char *end = NULL;

	if (size <= 0)
		return -1;
	target[size] = '\0';
	sg_usec instant = strtoll(target, &end, 10);
	return *end == '\0' && instant >= 0 ? instant : -1;
}

/* ---- folders ------------------------------------------------------------ */

/* Opens a folder that nobody else can write to; errno says why not. */
static int open_folder(int parent, const char *name, bool create)
{
	struct stat status;

	if (create && mkdirat(parent, name, 0700) != 0 && errno != EEXIST)
		return -1;
	int folder =
		openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return -1;
	if (fstat(folder, &status) == 0 &&
	    (status.st_uid == 0 || status.st_uid == geteuid()) &&
	    (status.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return folder;
	close(folder);
	errno = EPERM;
	return -1;
}

/* Makes the folder that the store is in, which a host may not have yet. */
static void make_parent(const char *store)
{
	const char *slash = strrchr(store, '/');
	sg_auto_free char *parent =
		slash == NULL ? NULL : strndup(store, (size_t)(slash - store));

	if (parent != NULL)
		(void)mkdirat(AT_FDCWD, parent, 0755);
}

/* The folder of the token: the first byte of its name. */
static int open_part(const char *store, const char *name, bool create)
{
	const char part[] = {name[0], name[1], '\0'};

	if (create)
		make_parent(store);
	sg_auto_close int folder = open_folder(AT_FDCWD, store, create);

	if (folder < 0)
		return -1;
	int opened = open_folder(folder, part, create);
	/* The folder itself has to outlive a crash as well. */
	if (opened >= 0 && create && fsync(folder) != 0) {
		close(opened);
		return -1;
	}
	return opened;
}

/* ---- forgetting --------------------------------------------------------- */

static int is_token(const struct dirent *entry)
{
	return strlen(entry->d_name) == NAME_SIZE - 1;
}

/* Notes that tokens until `instant` may be forgotten, durably. */
static int note_forgotten(int folder, sg_usec instant)
{
	char target[TARGET_SIZE];

	if (instant <= read_link(folder, FORGOTTEN))
		return 0;
	snprintf(target, sizeof target, "%lld", (long long)instant);
	unlinkat(folder, FORGOTTEN_NEW, 0); /* of a run that was killed */
	return symlinkat(target, folder, FORGOTTEN_NEW) == 0 &&
	               renameat(folder, FORGOTTEN_NEW, folder, FORGOTTEN) == 0 &&
	               fsync(folder) == 0
	           ? 0
	           : -1;
}

/* Forgets the tokens whose time is over. Returns how many are left, or -1. */
static int forget(int folder, sg_usec now)
{
	struct dirent **entries = NULL;
	sg_usec latest = -1;

	/* One at a time; who waits does so for what another one's cleaning takes.
	 */
	if (flock(folder, LOCK_EX) != 0)
		return -1;
	int count = scandirat(folder, ".", &entries, is_token, NULL);
	for (int i = 0; i < count; i++) {
		sg_usec ends = read_link(folder, entries[i]->d_name);

		if (ends >= 0 && ends <= now && ends > latest)
			latest = ends;
	}
	bool any = latest >= 0; /* most logins find none that is over */
	bool noted = !any || note_forgotten(folder, latest) == 0;
	int left = count;
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		sg_usec ends = any && noted ? read_link(folder, name) : -1;

		if (ends >= 0 && ends <= latest && unlinkat(folder, name, 0) == 0)
			left--;
		free(entries[i]);
	}
	free(entries);
	flock(folder, LOCK_UN);
	return count < 0 || !noted ? -1 : left;
}

/* ---- using -------------------------------------------------------------- */

static int fail_replayed(const char *why, struct sg_error *error)
{
	return sg_fail(
		error, "replayed",
		"the token %s, and single_use lets it log in once; get a new "
		"one",
		why);
}

/* Whether it was used, without using it. */
static int look(const char *store, const char *name, sg_usec ends,
                struct sg_error *error)
{
	struct stat status;
	sg_auto_close int folder = open_part(store, name, false);

	if (folder < 0 && errno == ENOENT)
		return 0;
	if (folder < 0)
		return fail_store(store, "read", error);
	if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		return fail_replayed("was used before", error);
	if (errno != ENOENT)
		return fail_store(store, "read", error);
	if (ends <= read_link(folder, FORGOTTEN))
		return fail_replayed("is older than what is remembered", error);
	return 0;
}

static int use(const char *store, const char *name, sg_usec ends, sg_usec now,
               struct sg_error *error)
{
	char target[TARGET_SIZE];
	sg_auto_close int folder = open_part(store, name, true);

	if (folder < 0)
		return fail_store(store, "written", error);
	int left = forget(folder, now);
	if (left < 0)
		return fail_store(store, "cleaned", error);
	if (left >= MAX_TOKENS)
		return sg_fail(
			error, "unavailable",
			"%s remembers as many tokens as it may, and none is over "
			"yet; issue tokens that end sooner",
			store);
	snprintf(target, sizeof target, "%lld", (long long)ends);
	if (symlinkat(target, folder, name) != 0)
		return errno == EEXIST ? fail_replayed("was used before", error)
		                       : fail_store(store, "written", error);
	/* Asked after the link is there: nobody can forget it in between. */
	if (ends <= read_link(folder, FORGOTTEN))
		return fail_replayed("is older than what is remembered", error);
	return fsync(folder) == 0 ? 0 : fail_store(store, "written", error);
}

int sg_store_use(const char *store, const struct sg_claims *claims,
                 sg_usec ends, sg_usec now, bool records,
                 struct sg_error *error)
{
	char name[NAME_SIZE];

	if (name_token(claims, name) != 0)
		return sg_fail_memory(error);
	return records ? use(store, name, ends, now, error)
	               : look(store, name, ends, error);
}
