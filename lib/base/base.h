/* SPDX-License-Identifier: MIT */
/*
 * base: what every other directory stands on.
 *
 * Errors that carry a stable code and one sentence, cleanup bound to scope,
 * lists of texts, files that are read whole and replaced atomically, files that
 * a login may rest on, and time in microseconds.
 */
#ifndef SG_BASE_H
#define SG_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- error.c ------------------------------------------------------------ */

#define SG_CODE_SIZE 32
#define SG_TEXT_SIZE 1024

/* A failure: `code` is a stable hyphenated word, `text` one sentence that
 * names the file, line or address, and the remedy. */
struct sg_error {
	char code[SG_CODE_SIZE];
	char text[SG_TEXT_SIZE];
};

/* Fills `error` and returns -1, so that `return sg_fail(...)` reads as one
 * step. A text longer than the buffer is cut; control characters become spaces,
 * and bytes above 126 become \xXX. */
int sg_fail(struct sg_error *error, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The failure for memory that could not be had. Returns -1. */
int sg_fail_memory(struct sg_error *error);

#define SG_QUOTED_SIZE 96

/* Puts a text that a stranger wrote between quotation marks: what is not
 * printable ASCII becomes \xXX, and a long one ends with "...". */
void sg_quote(const char *text, char quoted[SG_QUOTED_SIZE]);

/* Warnings: each is a code and a sentence, as in an error. Start from zeros. */
struct sg_warnings {
	struct sg_error *items;
	size_t count;
};

/* Appends a warning. Returns 0, or -1 without memory. */
int sg_warn(struct sg_warnings *warnings, const char *code, const char *format,
            ...) __attribute__((format(printf, 3, 4)));

void sg_warnings_free(struct sg_warnings *warnings);

/* ---- memory.c ----------------------------------------------------------- */

/* Scope-bound cleanup, instead of goto ladders: `sg_auto_free char *text`. */
#define sg_auto_free __attribute__((cleanup(sg_cleanup_free)))
#define sg_auto_close __attribute__((cleanup(sg_cleanup_close)))

void sg_cleanup_free(void *pointer);
void sg_cleanup_close(const int *descriptor);

/* A list of texts that it owns. Start from all zeros. */
struct sg_texts {
	char **items;
	size_t count;
};

/* Appends a formatted text. Returns 0, or -1 without memory. */
int sg_texts_add(struct sg_texts *texts, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Frees the texts; the list is empty afterwards. */
void sg_texts_free(struct sg_texts *texts);

/* ---- file.c ------------------------------------------------------------- */

/* A file as it was when it was read: enough to replace it, and to know whether
 * somebody else has changed it since. */
struct sg_file {
	char *path;         /* as asked for; for messages */
	int directory;      /* the directory that really holds it, or -1 */
	char *name;         /* its name there, symbolic links followed */
	char *bytes;        /* its content, with a NUL behind it */
	size_t size;        /* bytes without that NUL */
	struct stat status; /* of the file that was read */
};

#define SG_NO_FILE ((struct sg_file){.directory = -1})
#define sg_auto_file __attribute__((cleanup(sg_file_close)))

/*
 * Opens `path` below the directory `root` as if that were the root of the
 * file system (openat2(2), RESOLVE_IN_ROOT): neither `..` nor an absolute
 * symbolic link leads out of it. `root` -1 stands for the real root. Returns a
 * descriptor that the caller closes, or -1 and errno.
 */
int sg_open_below(int root, const char *path, int flags);

/*
 * Splits `path` in place into directory, which is returned ("." where it names
 * none), and name. NULL for a path that has no name (`/`, or one that ends in a
 * slash): it is not a file's.
 */
const char *sg_path_split(char *path, char **name);

/*
 * Reads the regular file `path` below `root`, at most `limit` bytes. On
 * success the caller owns `file` and gives it to sg_file_close. Errors:
 * file-missing, file-not-regular, file-too-big, file-unreadable.
 */
int sg_file_read(int root, const char *path, size_t limit, struct sg_file *file,
                 struct sg_error *error);

/*
 * Reads the rest of an open file, at most `limit` bytes; with one more errno is
 * EFBIG. The result has a NUL behind it and is the caller's; NULL and errno.
 */
char *sg_read_all(int descriptor, size_t limit, size_t *size);

/*
 * Puts `bytes` in the place of the file by rename(2). Owner, mode, ACL and
 * extended attributes are kept; file and directory are synced. Whoever opens
 * the path sees the old file or the new one, whole. Errors: file-changed (not
 * what `file` says any more), file-not-replaceable (a bind mount), and
 * file-unwritable; the old file is in place then, but when the directory could
 * not be synced, which says file-not-synced: the new one is in place, though a
 * crash may undo it. On success `file` describes the new file.
 */
int sg_file_replace(struct sg_file *file, const char *bytes, size_t size,
                    struct sg_error *error);

/* Whether the file is still the one that `file` describes, byte for byte. */
bool sg_file_is_unchanged(const struct sg_file *file);

/*
 * Writes a file of the project's own below `root`, atomically, with this mode;
 * missing directories are made with mode 0755. Error: file-unwritable.
 */
int sg_file_store(int root, const char *path, mode_t mode, const char *bytes,
                  size_t size, struct sg_error *error);

/* Removes a file of the project's own; one that is missing is no error. */
int sg_file_remove(int root, const char *path, struct sg_error *error);

void sg_file_close(struct sg_file *file);

/* Opens those of the descriptors 0 to 2 that are closed, on /dev/null: what is
 * opened later must not be taken for standard output. For the start of main. */
void sg_open_descriptors(void);

/* ---- trusted.c ---------------------------------------------------------- */

/* NULL when nobody but root and the effective user can write what has this
 * status; else what is wrong with its owner or mode, and what to do. */
const char *sg_distrust(const struct stat *status);

/*
 * Reads a file that a login rests on, at most `limit` bytes. Nobody but root
 * and the effective user can have written it, or put another in its place: they
 * own the file and every directory on its path, up to the root, which neither
 * group nor others may write to (a sticky directory they may). A link on the
 * way is followed when all that is true of it and of its target; the file
 * itself is opened without following one. A relative path begins in the current
 * directory, whose path is checked as well. The bytes have a NUL behind them
 * and are the caller's, to be wiped if they are secret. Errors: file-missing,
 * file-not-regular, file-too-big, file-unreadable, file-untrusted.
 */
int sg_trusted_read(const char *path, size_t limit, char **bytes, size_t *size,
                    struct sg_error *error);

/* ---- time.c ------------------------------------------------------------- */

/* Microseconds: since the Unix epoch, or a duration. */
typedef int64_t sg_usec;

#define SG_SECOND ((sg_usec)1000000)

/* The time of day (CLOCK_REALTIME), which others may step. */
sg_usec sg_time_now(void);

/* Time since some start (CLOCK_MONOTONIC), which nobody steps. */
sg_usec sg_time_elapsed(void);

/* Time since boot, suspended or not (CLOCK_BOOTTIME): no step changes it. */
sg_usec sg_time_since_boot(void);

/* Sleeps so long, or less when a signal arrives. */
void sg_time_sleep(sg_usec duration);

/* Sleeps until sg_time_elapsed() says `instant`, whatever signals arrive. */
void sg_time_sleep_until(sg_usec instant);

/* The end of the year 9999, the latest time that RFC 3339 can write. */
#define SG_TIME_LAST ((sg_usec)253402300799 * SG_SECOND)

#define SG_TIME_SIZE 32

/* Writes a time since the epoch, 0 to SG_TIME_LAST, in UTC as RFC 3339 has it,
 * with as many decimals as it needs. */
void sg_time_format(sg_usec time, char text[SG_TIME_SIZE]);

/* Writes seconds with up to six decimals, as many as needed. */
void sg_time_format_seconds(sg_usec time, char text[SG_TIME_SIZE]);

/* Writes seconds with so many decimals, 1 to 6, rounded to the nearest; with a
 * point, whatever the locale is. */
void sg_time_format_rounded(sg_usec time, unsigned decimals,
                            char text[SG_TIME_SIZE]);

/*
 * Reads a time since the epoch: seconds with an optional fraction, or RFC 3339
 * section 5.6. What is finer than a microsecond is dropped. Error: bad-time.
 */
int sg_time_parse(const char *text, sg_usec *time, struct sg_error *error);

/* The same for seconds with an optional fraction only; false: it is none. */
bool sg_time_parse_seconds(const char *text, sg_usec *time);

/* ---- json.c ------------------------------------------------------------- */

struct json_t; /* jansson's */

/* The string as JSON, or null for NULL; of one that is not UTF-8 every byte
 * that is not ASCII becomes a question mark. NULL without memory. */
struct json_t *sg_json_string(const char *text);

/* The time in seconds, or null when it is not known. NULL without memory. */
struct json_t *sg_json_seconds(bool known, sg_usec time);

#endif
