/* SPDX-License-Identifier: MIT */
/*
 * Used tokens: a `jti` logs in once.
 *
 * One symbolic link for each token that is still good, in one of 256
 * directories: its name is SHA-256(iss NUL jti), its target the instant until
 * which it counts, which is `exp` and the widest leeway that can be configured:
 * raising the leeway must not revive a token. Making a link is atomic and
 * exclusive, so that of many sshd processes one is served, and there is no
 * moment at which it is half made. It is on the disk before the token is
 * accepted.
 *
 * A link is forgotten when its instant is over. Before that the directory notes
 * the latest such instant, in the link `forgotten`: stepping the clock back
 * does not revive what was used before. A token that is not later than the note
 * is refused, and so is every token when there is a note that cannot be read.
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

/* Tokens that a directory remembers; a quarter of a million in all. */
#define MAX_TOKENS 1024

#define HASH_SIZE 32
#define NAME_SIZE (2 * HASH_SIZE + 1)

/* A link's target: a plus sign and microseconds since the epoch. An earlier
 * format has no sign, and counted the leeway that was configured then. */
#define TARGET_SIZE 24
#define SIGN '+'

#define FORGOTTEN "forgotten"
#define FORGOTTEN_NEW "forgotten.new"

static enum sg_reason refuse_store(const char *store, const char *what,
                                   struct sg_error *error)
{
	const char *remedy = errno == EACCES && geteuid() != 0
	                         ? "run as root"
	                         : "see to that directory";

	return sg_refuse(error, SG_UNAVAILABLE,
	                 "the used tokens in %s cannot be %s: %s; %s", store, what,
	                 strerror(errno), remedy);
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

/* ---- links -------------------------------------------------------------- */

/* The instant in a link's target; -1: it is none. */
static sg_usec read_instant(const char *target)
{
	const char *digits = target[0] == SIGN ? target + 1 : target;
	sg_usec instant = 0;

	if (strspn(digits, "0123456789") != strlen(digits) || digits[0] == '\0')
		return -1;
	for (; *digits != '\0'; digits++) {
		instant = instant * 10 + (*digits - '0');
		/* No token ends later. */
		if (instant > SG_TIME_LAST + SG_MAX_LEEWAY)
			return -1;
	}
	return target[0] == SIGN ? instant : instant + SG_MAX_LEEWAY;
}

/* Reads the instant in a link. Returns 0, or -1 and errno: ENOENT when there is
 * none, EINVAL when it is not one of ours. */
static int read_link(int directory, const char *name, sg_usec *instant)
{
	char target[TARGET_SIZE];
	ssize_t size = readlinkat(directory, name, target, sizeof target);

	if (size < 0)
		return -1;
	*instant = -1;
	if ((size_t)size < sizeof target) {
		target[size] = '\0';
		*instant = read_instant(target);
	}
	errno = EINVAL;
	return *instant >= 0 ? 0 : -1;
}

static int make_link(int directory, const char *name, sg_usec instant)
{
	char target[TARGET_SIZE];

	snprintf(target, sizeof target, "%c%lld", SIGN, (long long)instant);
	return symlinkat(target, directory, name);
}

/* ---- directories -------------------------------------------------------- */

/* Opens a directory that nobody else can write to; errno says why not. */
static int open_directory(int parent, const char *name, bool create)
{
	struct stat status;

	if (create && mkdirat(parent, name, 0700) != 0 && errno != EEXIST)
		return -1;
	int directory =
		openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return -1;
	if (fstat(directory, &status) == 0 && sg_distrust(&status) == NULL)
		return directory;
	close(directory);
	errno = EPERM;
	return -1;
}

/* Makes the directory that the store is in, which a host may not have yet. */
static void make_parent(const char *store)
{
	sg_auto_free char *copy = strdup(store);
	char *name = NULL;
	const char *parent = copy == NULL ? NULL : sg_path_split(copy, &name);

	if (parent != NULL)
		(void)mkdirat(AT_FDCWD, parent, 0755);
}

/* The directories themselves have to outlive a crash as well. */
static int sync_names(int store)
{
	sg_auto_close int parent =
		openat(store, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return parent >= 0 && fsync(parent) == 0 && fsync(store) == 0 ? 0 : -1;
}

/* The directory of the token: the first byte of its name. */
static int open_part(const char *store, const char *name, bool create)
{
	const char part[] = {name[0], name[1], '\0'};

	if (create)
		make_parent(store);
	sg_auto_close int directory = open_directory(AT_FDCWD, store, create);

	if (directory < 0)
		return -1;
	int opened = open_directory(directory, part, create);
	if (opened >= 0 && create && sync_names(directory) != 0) {
		close(opened);
		return -1;
	}
	return opened;
}

/* ---- what a directory remembers ----------------------------------------- */

/* A directory as it is at an instant, and as it will be once the tokens that
 * are over by then are forgotten. */
struct memory {
	sg_usec noted; /* the note; -1: none */
	sg_usec over;  /* the latest token that is over; -1: none is */
	int kept;      /* tokens that will be left */
	bool knows;    /* the token in question is one of them */
};

static int is_token(const struct dirent *entry)
{
	return strlen(entry->d_name) == NAME_SIZE - 1;
}

static void free_entries(struct dirent **entries, int count)
{
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
}

/* What the directory remembers of the token `name` at `now`. Returns 0 or -1
 * and errno. */
static int remember(int directory, const char *name, sg_usec now,
                    struct memory *memory)
{
	struct dirent **entries = NULL;
	int count = scandirat(directory, ".", &entries, is_token, NULL);

	if (count < 0)
		return -1;
	*memory = (struct memory){.noted = -1, .over = -1};
	for (int i = 0; i < count; i++) {
		const char *found = entries[i]->d_name;
		sg_usec ends = 0;

		/* One that says nothing counts, for ever. */
		if (read_link(directory, found, &ends) != 0 || ends > now) {
			memory->kept++;
			memory->knows = memory->knows || strcmp(found, name) == 0;
		} else if (ends > memory->over) {
			memory->over = ends;
		}
	}
	free_entries(entries, count);
	/* After the tokens: what is gone from among them is in the note. */
	if (read_link(directory, FORGOTTEN, &memory->noted) != 0 && errno != ENOENT)
		return -1;
	return 0;
}

static enum sg_reason refuse_replayed(const char *why, struct sg_error *error)
{
	return sg_refuse(error, SG_REPLAYED,
	                 "the token %s, and single_use lets it log in once; get a "
	                 "new one",
	                 why);
}

/* Whether a token that ends then may be used. */
static enum sg_reason judge(const char *store, const struct memory *memory,
                            sg_usec ends, struct sg_error *error)
{
	if (memory->knows)
		return refuse_replayed("was used before", error);
	/* What is over now is over before any token inside its window. */
	if (ends <= memory->noted)
		return refuse_replayed("is older than what is remembered", error);
	if (memory->kept < MAX_TOKENS)
		return SG_ACCEPTED;
	return sg_refuse(error, SG_UNAVAILABLE,
	                 "%s remembers as many tokens as it may, and none is over "
	                 "yet; issue tokens that end sooner",
	                 store);
}

/* ---- using -------------------------------------------------------------- */

/* One process at a time; a signal that its program handles is no refusal. */
static int lock(int directory)
{
	int failed;

	do
		failed = flock(directory, LOCK_EX);
	while (failed != 0 && errno == EINTR);
	return failed;
}

/* Notes that tokens until `instant` may be forgotten, durably. */
static int note_forgotten(int directory, sg_usec instant)
{
	unlinkat(directory, FORGOTTEN_NEW, 0); /* of a run that was killed */
	return make_link(directory, FORGOTTEN_NEW, instant) == 0 &&
	               renameat(directory, FORGOTTEN_NEW, directory, FORGOTTEN) ==
	                   0 &&
	               fsync(directory) == 0
	           ? 0
	           : -1;
}

/* Forgets the tokens that are over, which most logins find none of. */
static int forget(int directory, const struct memory *memory)
{
	struct dirent **entries = NULL;
	int failed = 0;

	if (memory->over < 0)
		return 0;
	/* The clock may have been stepped back since the note was written. */
	if (memory->over > memory->noted &&
	    note_forgotten(directory, memory->over) != 0)
		return -1;
	int count = scandirat(directory, ".", &entries, is_token, NULL);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		sg_usec ends = 0;

		if (read_link(directory, name, &ends) == 0 && ends <= memory->over)
			failed |= unlinkat(directory, name, 0);
	}
	free_entries(entries, count);
	return count < 0 ? -1 : failed;
}

/* Makes the token's link, under the lock: what was judged still is so. */
static enum sg_reason record(const char *store, int directory, const char *name,
                             sg_usec ends, sg_usec now, struct memory *memory,
                             struct sg_error *error)
{
	if (lock(directory) != 0)
		return refuse_store(store, "locked", error);
	if (remember(directory, name, now, memory) != 0)
		return refuse_store(store, "read", error);
	if (forget(directory, memory) != 0)
		return refuse_store(store, "cleaned", error);
	enum sg_reason refused = judge(store, memory, ends, error);
	if (refused != SG_ACCEPTED)
		return refused;
	if (make_link(directory, name, ends) == 0)
		return SG_ACCEPTED;
	return errno == EEXIST ? refuse_replayed("was used before", error)
	                       : refuse_store(store, "written", error);
}

static enum sg_reason use(const char *store, const char *name, sg_usec ends,
                          sg_usec now, bool *filling, struct sg_error *error)
{
	struct memory memory = {0};
	sg_auto_close int directory = open_part(store, name, true);

	if (directory < 0)
		return refuse_store(store, "written", error);
	enum sg_reason refused =
		record(store, directory, name, ends, now, &memory, error);
	/* The disk is slow, and others need not wait for it. */
	flock(directory, LOCK_UN);
	if (refused != SG_ACCEPTED)
		return refused;
	*filling = memory.kept + 1 >= MAX_TOKENS / 2;
	if (fsync(directory) == 0)
		return SG_ACCEPTED;
	refused = refuse_store(store, "written", error);
	unlinkat(directory, name, 0); /* a refusal uses nothing up */
	return refused;
}

/* Whether it could be used, without using it. */
static enum sg_reason look(const char *store, const char *name, sg_usec ends,
                           sg_usec now, struct sg_error *error)
{
	struct memory memory = {0};
	sg_auto_close int directory = open_part(store, name, false);

	if (directory < 0 && errno == ENOENT)
		return SG_ACCEPTED; /* nothing was used yet */
	if (directory < 0 || remember(directory, name, now, &memory) != 0)
		return refuse_store(store, "read", error);
	return judge(store, &memory, ends, error);
}

enum sg_reason sg_store_use(const char *store, const struct sg_claims *claims,
                            sg_usec now, bool records, bool *filling,
                            struct sg_error *error)
{
	sg_usec ends = claims->expires.time + SG_MAX_LEEWAY;
	char name[NAME_SIZE];

	*filling = false;
	if (name_token(claims, name) != 0)
		return sg_refuse_memory(error);
	return records ? use(store, name, ends, now, filling, error)
	               : look(store, name, ends, now, error);
}
