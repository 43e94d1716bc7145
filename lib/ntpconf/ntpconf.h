/* SPDX-License-Identifier: MIT */
/*
 * ntpconf: ntp.conf as data.
 *
 * Pure functions over text: no configuration file is opened here, no process
 * started, no socket used. The grammar is Augeas's with a lens of our own
 * (skewgate_ntp.aug); lines that are not ours are never written anew, their
 * bytes are carried over.
 */
#ifndef SG_NTPCONF_H
#define SG_NTPCONF_H

#include "lib/base/base.h"

#define SG_AMAZON_IPV4 "169.254.169.123"
#define SG_AMAZON_IPV6 "fd00:ec2::123"

/* The managed block begins with a line that begins so. */
#define SG_NTPCONF_MARK "# BEGIN skewgate"

/* Larger files are refused: no real ntp.conf comes near it. */
#define SG_NTPCONF_MAX ((size_t)1024 * 1024)

/* Most servers that one host is given. */
#define SG_MAX_SERVERS ((size_t)8)

/* The place of a file that ntpd reads after the main file has ended. */
#define SG_AFTER_MAIN SIZE_MAX

/* A piece of an included file. Pieces come in ntpd's reading order; a file that
 * itself includes another is handed over in two pieces around it. */
struct sg_ntpconf_included {
	const char *path;
	const char *text;
	size_t first_line; /* number of the text's first line in its file */
	size_t main_line;  /* the main file's includefile line, or SG_AFTER_MAIN */
};

/* What the edit shall reach. */
struct sg_ntpconf_request {
	const char *const *servers;
	size_t server_count;
	const char *server_options; /* checked by sg_ntpconf_check_options */
	bool exclusive;
	const struct sg_ntpconf_included *included;
	size_t included_count;
};

/* The edit, or its undoing. Start from all zeros. */
struct sg_ntpconf_plan {
	bool changed;
	char *text; /* the whole file as it shall be, with a NUL behind it */
	size_t size;
	char *block;              /* the managed block, or "" when none is needed */
	bool lowers_minsane;      /* the block has a tos line that it had not */
	struct sg_texts disabled; /* lines that are turned off, or by undo on */
	struct sg_warnings warnings; /* see skewgate(8) for the codes */
	/* Lines that can keep ntpd from following the servers, each with its
	 * remedy: to be told when it does not. */
	struct sg_warnings hindrances;
};

/* An includefile line. */
struct sg_ntpconf_include {
	char *path;
	size_t line;
};

struct sg_ntpconf_includes {
	struct sg_ntpconf_include *items;
	size_t count;
};

/*
 * Plans the managed block (ntp.conf(5) for the meaning of its lines). `name` is
 * the file's name for messages; `text` has `size` bytes and a NUL behind them.
 * Returns 0 and a plan that the caller frees, or -1: config-not-text,
 * block-damaged, block-doubled, own-line-noselect, own-restrict,
 * minsane-raised.
 */
int sg_ntpconf_plan(const char *name, const char *text, size_t size,
                    const struct sg_ntpconf_request *request,
                    struct sg_ntpconf_plan *plan, struct sg_error *error);

/*
 * Plans the undoing: the block goes, `#skewgate: ` lines are lines again, every
 * other byte stays. Errors: config-not-text, block-damaged, block-doubled.
 */
int sg_ntpconf_plan_revert(const char *name, const char *text, size_t size,
                           struct sg_ntpconf_plan *plan,
                           struct sg_error *error);

void sg_ntpconf_plan_free(struct sg_ntpconf_plan *plan);

/* Lists the files that `text` includes, in order. Error: config-not-text. */
int sg_ntpconf_list_includes(const char *name, const char *text, size_t size,
                             struct sg_ntpconf_includes *includes,
                             struct sg_error *error);

void sg_ntpconf_includes_free(struct sg_ntpconf_includes *includes);

/* A source that a config names. */
struct sg_ntpconf_source {
	char *name;
	bool managed; /* it stands in skewgate's block */
};

struct sg_ntpconf_sources {
	struct sg_ntpconf_source *items;
	size_t count;
};

/* Appends the sources of `text`, but for reference clocks, in order. Error:
 * config-not-text, block-damaged, block-doubled. */
int sg_ntpconf_list_sources(const char *name, const char *text, size_t size,
                            struct sg_ntpconf_sources *sources,
                            struct sg_error *error);

void sg_ntpconf_sources_free(struct sg_ntpconf_sources *sources);

/* Whether a `server` line of `text` names the server; false as well when the
 * text cannot be read. */
bool sg_ntpconf_lists_server(const char *name, const char *text, size_t size,
                             const char *server);

/* The file that a `logfile` line names, for the caller to free, or NULL. */
char *sg_ntpconf_log_file(const char *name, const char *text, size_t size);

/* Whether two texts name the same server: equal addresses however they are
 * written, or the same name. */
bool sg_ntpconf_same_server(const char *one, const char *other);

/* Whether the text is an address, and no name. */
bool sg_ntpconf_is_address(const char *text);

/* Whether `restrict` takes the name for a word of its own: a line for a server
 * of that name would be one for every address. */
bool sg_ntpconf_is_keyword(const char *name);

/*
 * Checks words for the `server` line: ntpd drops a line with one word that it
 * does not know, and would then follow nobody. Error: bad-server-options.
 */
int sg_ntpconf_check_options(const char *options, struct sg_error *error);

/*
 * Reads the value of `name` in a file of shell assignments (/etc/default),
 * through Augeas's Shellvars lens. `*value`, without quotes, is the caller's;
 * NULL when the variable is not set. Error: defaults-unusable.
 */
int sg_defaults_get(const char *file, const char *text, const char *name,
                    char **value, struct sg_error *error);

/*
 * The text with `name` set to `value`, which is taken as it is, quotes and all;
 * NULL removes it. `*before` is the former value, written as it was, or NULL.
 * Both results are the caller's. Error: defaults-unusable.
 */
int sg_defaults_set(const char *file, const char *text, const char *name,
                    const char *value, char **result, char **before,
                    struct sg_error *error);

#endif
