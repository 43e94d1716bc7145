/* SPDX-License-Identifier: MIT */
/*
 * The host that a run is about: its lock, its ntpd, and what that really reads.
 *
 * An edit of a file that ntpd does not read is worse than none: it looks right.
 */
#include "tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_FILE "/run/skewgate.lock"

/* ntpd's own limit for files that include files, and ours for their number. */
#define MAX_DEPTH 5
#define MAX_INCLUDED 64

/* Whether `--root /` was given: its files are those of a host run. */
static bool is_host_itself(const struct host *host)
{
	struct stat tree;
	struct stat here;

	return geteuid() == 0 && fstat(host->root, &tree) == 0 &&
	       stat("/", &here) == 0 && tree.st_dev == here.st_dev &&
	       tree.st_ino == here.st_ino;
}

/* Opens the directory of a file; the path is cut. One without a name is that of
 * a directory itself. */
static int open_directory_of(char *path)
{
	char *name = NULL;
	const char *directory = sg_path_split(path, &name);

	return open(directory != NULL ? directory : path,
	            O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* What to lock: the tree of an image itself, so that nothing is left in it; the
 * directory of a user's own config; else the one lock of the host. */
static int open_lock(const struct host *host, const char *config)
{
	sg_auto_free char *copy = config == NULL ? NULL : strdup(config);

	if (host->root_path != NULL && !is_host_itself(host))
		return fcntl(host->root, F_DUPFD_CLOEXEC, 0);
	if (geteuid() != 0 && copy != NULL)
		return open_directory_of(copy);
	return open(LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int take_lock(struct host *host, const char *config,
                     struct sg_error *error)
{
	bool tree = host->root_path != NULL && !is_host_itself(host);
	const char *name = tree             ? host->root_path
	                   : geteuid() != 0 ? config
	                                    : LOCK_FILE;

	host->lock = open_lock(host, config);
	if (host->lock >= 0 && flock(host->lock, LOCK_EX | LOCK_NB) == 0)
		return EXIT_DONE;
	if (errno == EWOULDBLOCK) {
		sg_fail(error, "locked",
		        "another run of skewgate holds %s; wait until it has ended",
		        name);
		return EXIT_LOCKED;
	}
	sg_fail(error, "internal", "the lock for %s cannot be taken: %s", name,
	        strerror(errno));
	return EXIT_INTERNAL;
}

static int open_host(struct host *host, const char *root_path,
                     const char *config, unsigned use, struct sg_error *error)
{
	*host = NO_HOST;
	host->root_path = root_path;
	/* Who edits a tree, or a file of their own, needs no more than that. */
	if (geteuid() != 0 && (use & HOST_LOOKS) == 0 && root_path == NULL &&
	    ((use & HOST_RESTARTS) != 0 || config == NULL)) {
		sg_fail(
			error, "not-root",
			"this edits the host's config and restarts ntpd, so it must run "
			"as root");
		return EXIT_INTERNAL;
	}
	if (root_path != NULL) {
		host->root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (host->root < 0) {
			sg_fail(error, "root-unusable", "--root %s cannot be opened: %s",
			        root_path, strerror(errno));
			return EXIT_CONFIG;
		}
	}
	return (use & HOST_LOOKS) != 0 ? EXIT_DONE : take_lock(host, config, error);
}

void host_close(struct host *host)
{
	sg_cleanup_close(&host->root);
	sg_cleanup_close(&host->lock);
	free(host->config);
	free(host->dhcp_copy);
	sg_service_free(&host->service);
	*host = NO_HOST;
}

static bool exists(const struct host *host, const char *path)
{
	sg_auto_close int found = sg_open_below(host->root, path, O_PATH);

	return found >= 0;
}

/* Whether there is something of that name: a link that leads nowhere is. */
static bool is_there(const struct host *host, const char *path)
{
	sg_auto_close int found =
		sg_open_below(host->root, path, O_PATH | O_NOFOLLOW);

	return found >= 0;
}

/* ---- which config ------------------------------------------------------- */

/* Reads a variable of the start script's file; NULL when it is not set. */
static int read_default(const struct host *host, const char *variable,
                        char **value, struct sg_error *error)
{
	sg_auto_file struct sg_file file = SG_NO_FILE;
	const char *path = host->service.layout->defaults;

	*value = NULL;
	if (!exists(host, path))
		return 0;
	if (sg_file_read(host->root, path, SG_NTPCONF_MAX, &file, error) != 0)
		return -1;
	return sg_defaults_get(path, file.bytes, variable, value, error);
}

/* The path that ntpd's words name, for the caller to free; NULL when they name
 * none. A relative one is relative to wherever ntpd was started. */
static int config_in_words(const struct sg_texts *words, const char *place,
                           char **config, struct sg_error *error)
{
	const char *path = sg_ntpd_config(words);

	*config = NULL;
	if (path == NULL)
		return 0;
	if (path[0] != '/')
		return sg_fail(
			error, "options-unreadable",
			"ntpd's config is the relative path \"%.200s\" by %s, so "
			"that the file is not known; write its whole path there",
			path, place);
	*config = strdup(path);
	return *config != NULL ? 0 : sg_fail_memory(error);
}

/* The config that the running ntpd was started with, or NULL. */
static int config_of_process(const struct sg_process *process, char **config,
                             struct sg_error *error)
{
	struct sg_texts words = {0};
	char place[64];

	*config = NULL;
	snprintf(place, sizeof place, "the command line of process %ld",
	         (long)process->pid);
	int failed = process->pid == 0
	                 ? 0
	                 : sg_process_arguments(process, &words, error) != 0 ||
	                       config_in_words(&words, place, config, error) != 0;
	sg_texts_free(&words);
	return failed ? -1 : 0;
}

/* The config that the start script's options name, or NULL. */
static int config_of_script(const struct host *host, char **config,
                            struct sg_error *error)
{
	const struct sg_layout *layout = host->service.layout;
	sg_auto_free char *options = NULL;
	struct sg_texts words = {0};
	char place[128];

	*config = NULL;
	if (read_default(host, layout->options_variable, &options, error) != 0)
		return -1;
	if (options == NULL)
		return 0;
	snprintf(place, sizeof place, "%s in %s", layout->options_variable,
	         layout->defaults);
	int failed = sg_ntpd_split_options(place, options, &words, error) != 0 ||
	             config_in_words(&words, place, config, error) != 0;
	sg_texts_free(&words);
	return failed ? -1 : 0;
}

static int find_live_config(struct host *host, struct sg_error *error)
{
	const struct sg_layout *layout = host->service.layout;
	bool copied =
		layout->dhcp_copy != NULL && access(layout->dhcp_copy, F_OK) == 0;
	sg_auto_free char *ignored = NULL;

	if (config_of_process(&host->ntpd, &host->config, error) != 0)
		return -1;
	if (host->config != NULL && layout->dhcp_copy != NULL &&
	    strcmp(host->config, layout->dhcp_copy) == 0) {
		free(host->config);
		host->config = NULL;
	}
	if (host->config == NULL &&
	    config_of_script(host, &host->config, error) != 0)
		return -1;
	if (host->config == NULL)
		host->config = strdup(layout->config);
	if (copied && layout->ignore_dhcp != NULL &&
	    read_default(host, layout->ignore_dhcp, &ignored, error) != 0)
		return -1;
	if (copied && (ignored == NULL || strcmp(ignored, "yes") != 0))
		host->dhcp_copy = strdup(layout->dhcp_copy);
	return host->config != NULL ? 0 : sg_fail_memory(error);
}

static bool is_same_file(const char *one, const char *other)
{
	struct stat left;
	struct stat right;

	return stat(one, &left) == 0 && stat(other, &right) == 0 &&
	       left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

/* In a tree, or with --config, the layout is what fits the files. */
static const struct sg_layout *layout_of(const struct host *host,
                                         const char *config)
{
	for (const struct sg_layout *layout = sg_layouts; layout->service != NULL;
	     layout++)
		if (config != NULL ? strcmp(layout->config, config) == 0
		                   : is_there(host, layout->config))
			return layout;
	return NULL;
}

/* What ends a run that cannot tell its config. */
static int exit_of_config(const struct sg_error *error)
{
	return strcmp(error->code, "options-unreadable") == 0 ? EXIT_NO_NTPD
	                                                      : EXIT_CONFIG;
}

static int find_in_tree(struct host *host, const char *config,
                        struct sg_error *error)
{
	host->service.layout = layout_of(host, config);
	if (config == NULL && host->service.layout == NULL) {
		sg_fail(error, "ntpd-missing",
		        "%s has neither /etc/ntpsec/ntp.conf nor /etc/ntp.conf%s; "
		        "install ntpsec (or ntp) there first",
		        host->root_path,
		        exists(host, "/etc/chrony.conf") ||
		                exists(host, "/etc/chrony/chrony.conf")
		            ? ", but chrony"
		            : "");
		return EXIT_NO_NTPD;
	}
	if (config == NULL && config_of_script(host, &host->config, error) != 0)
		return exit_of_config(error);
	if (config == NULL && host->config == NULL &&
	    !exists(host, host->service.layout->config)) {
		sg_fail(error, "file-missing",
		        "%s is a symbolic link that leads to no file in %s; make the "
		        "file that it names, or use --config",
		        host->service.layout->config, host->root_path);
		return EXIT_CONFIG;
	}
	if (host->config == NULL)
		host->config =
			strdup(config != NULL ? config : host->service.layout->config);
	if (host->config != NULL)
		return EXIT_DONE;
	sg_fail_memory(error);
	return EXIT_INTERNAL;
}

/* Whether the host's own ntpd reads a config that was named for an edit alone:
 * what concerns the host is not touched for the sake of another file. */
static void look_for_reader(struct host *host)
{
	struct host live = NO_HOST;
	struct sg_error ignored = {0};

	if (sg_service_find(&live.service, &ignored) == 0) {
		live.ntpd = sg_service_process(&live.service);
		host->is_live = find_live_config(&live, &ignored) == 0 &&
		                is_same_file(host->config, live.config);
	}
	if (host->is_live) {
		host->service = live.service;
		host->ntpd = live.ntpd;
		live.service = (struct sg_service){0};
	}
	host_close(&live);
}

static int find_config(struct host *host, const char *config, unsigned use,
                       struct sg_error *error)
{
	if (host->root_path != NULL ||
	    (config != NULL && (use & HOST_RESTARTS) == 0)) {
		int code = find_in_tree(host, config, error);

		if (code != EXIT_DONE)
			return code;
		if (host->root_path == NULL)
			look_for_reader(host);
		else
			host->is_live = host->service.layout != NULL;
		return EXIT_DONE;
	}
	if (sg_service_find(&host->service, error) != 0)
		return strcmp(error->code, "service-unknown") == 0 ? EXIT_INTERNAL
		                                                   : EXIT_NO_NTPD;
	host->ntpd = sg_service_process(&host->service);
	if (sg_service_refuse_others(&host->service, error) != 0)
		return EXIT_NO_NTPD;
	host->is_live = true;
	if (find_live_config(host, error) != 0)
		return exit_of_config(error);
	if (config == NULL || is_same_file(config, host->config))
		return EXIT_DONE;
	sg_fail(
		error, "config-not-read",
		"ntpd does not read %s but %s; leave --config out, or add --no-restart",
		config, host->config);
	return EXIT_CONFIG;
}

int host_begin(struct host *host, struct report *report, const char *root_path,
               const char *config, unsigned use, struct sg_error *error)
{
	int code = open_host(host, root_path, config, use, error);

	if (code == EXIT_DONE)
		code = find_config(host, config, use, error);
	if (code != EXIT_DONE)
		return code;
	if (host->service.layout != NULL)
		report->daemon = host->service.layout->service;
	report->config = strdup(host->config);
	report_step(report, "the config is %s", host->config);
	return EXIT_DONE;
}

/* ---- what else ntpd reads ----------------------------------------------- */

/* Appends a piece; `text` and a copy of `path` are the list's. */
static int add_piece(struct included *included, const char *path, char *text,
                     size_t first_line, size_t main_line)
{
	struct sg_ntpconf_included *items =
		reallocarray(included->items, included->count + 1, sizeof *items);
	char *copy = strdup(path);

	if (items != NULL)
		included->items = items;
	if (items == NULL || copy == NULL || text == NULL) {
		free(copy);
		free(text);
		return -1;
	}
	items[included->count++] = (struct sg_ntpconf_included){
		.path = copy,
		.text = text,
		.first_line = first_line,
		.main_line = main_line,
	};
	return 0;
}

void included_free(struct included *included)
{
	for (size_t i = 0; i < included->count; i++) {
		free((void *)(uintptr_t)included->items[i].path);
		free((void *)(uintptr_t)included->items[i].text);
	}
	free(included->items);
	*included = (struct included){0};
}

/* `path` as seen from the file `from`: ntpd takes it relative to that. */
static char *beside(const char *from, const char *path)
{
	sg_auto_free char *copy = strdup(from);
	char *name = NULL;
	char *joined = NULL;

	if (path[0] == '/')
		return strdup(path);
	const char *directory = copy == NULL ? NULL : sg_path_split(copy, &name);
	if (directory == NULL || asprintf(&joined, "%s/%s", directory, path) < 0)
		return NULL;
	return joined;
}

static int read_path(const struct host *host, const char *path,
                     size_t main_line, int depth, struct included *included,
                     struct sg_error *error);

/* The line after the `count`th newline from `text` on. */
static const char *skip_lines(const char *text, size_t count)
{
	for (; count > 0 && *text != '\0'; count--) {
		const char *newline = strchr(text, '\n');

		text = newline != NULL ? newline + 1 : text + strlen(text);
	}
	return text;
}

/* Adds a file in pieces, what it includes between them. */
static int read_pieces(const struct host *host, const struct sg_file *file,
                       size_t main_line, int depth, struct included *included,
                       struct sg_error *error)
{
	struct sg_ntpconf_includes found = {0};
	const char *start = file->bytes;
	size_t first_line = 1;
	int failed = 0;

	if (sg_ntpconf_list_includes(file->path, file->bytes, file->size, &found,
	                             error) != 0)
		return -1;
	for (size_t i = 0; i <= found.count && failed == 0; i++) {
		bool last = i == found.count;
		size_t next_line = last ? 0 : found.items[i].line + 1;
		const char *end = last ? start + strlen(start)
		                       : skip_lines(start, next_line - first_line);

		if (add_piece(included, file->path,
		              strndup(start, (size_t)(end - start)), first_line,
		              main_line) != 0) {
			failed = sg_fail_memory(error);
		} else if (!last) {
			sg_auto_free char *path = beside(file->path, found.items[i].path);

			failed = path == NULL ? sg_fail_memory(error)
			                      : read_path(host, path, main_line, depth + 1,
			                                  included, error);
			start = end;
			first_line = next_line;
		}
	}
	sg_ntpconf_includes_free(&found);
	return failed;
}

/* ntpsec reads the *.conf of a directory, sorted by their bytes. */
static int read_directory(const struct host *host, const char *path,
                          size_t main_line, int depth,
                          struct included *included, struct sg_error *error)
{
	sg_auto_close int directory =
		sg_open_below(host->root, path, O_RDONLY | O_DIRECTORY);
	struct dirent **entries = NULL;
	int failed = 0;

	if (directory < 0)
		return 0;
	int count = scandirat(directory, ".", &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		sg_auto_free char *file = NULL;

		if (failed == 0 && fnmatch("*.conf", entries[i]->d_name, 0) == 0) {
			if (asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0)
				file = NULL;
			failed = file == NULL ? sg_fail_memory(error)
			                      : read_path(host, file, main_line, depth,
			                                  included, error);
		}
		free(entries[i]);
	}
	free(entries);
	return failed;
}

/* A file that is missing is passed over, as ntpd does. */
static int read_path(const struct host *host, const char *path,
                     size_t main_line, int depth, struct included *included,
                     struct sg_error *error)
{
	sg_auto_file struct sg_file file = SG_NO_FILE;
	struct stat status;

	if (depth > MAX_DEPTH)
		return 0; /* ntpd stops there too */
	sg_auto_close int found = sg_open_below(host->root, path, O_PATH);
	if (found < 0 || fstat(found, &status) != 0)
		return 0;
	if (S_ISDIR(status.st_mode))
		return read_directory(host, path, main_line, depth, included, error);
	if (included->files++ >= MAX_INCLUDED)
		return sg_fail(
			error, "too-many-includes",
			"%s is included after %d other files; simplify the config", path,
			MAX_INCLUDED);
	if (sg_file_read(host->root, path, SG_NTPCONF_MAX, &file, error) != 0)
		return -1;
	return read_pieces(host, &file, main_line, depth, included, error);
}

int host_read_included(const struct host *host, const struct sg_file *main,
                       struct included *included, struct sg_error *error)
{
	struct sg_ntpconf_includes found = {0};
	int failed = sg_ntpconf_list_includes(main->path, main->bytes, main->size,
	                                      &found, error);

	for (size_t i = 0; i < found.count && failed == 0; i++) {
		sg_auto_free char *path = beside(main->path, found.items[i].path);

		failed = path == NULL ? sg_fail_memory(error)
		                      : read_path(host, path, found.items[i].line, 1,
		                                  included, error);
	}
	sg_ntpconf_includes_free(&found);
	if (failed == 0 &&
	    (host->service.layout == NULL || host->service.layout->reads_ntp_d)) {
		sg_auto_free char *path = beside(main->path, "ntp.d");

		failed = path == NULL ? sg_fail_memory(error)
		                      : read_directory(host, path, SG_AFTER_MAIN, 1,
		                                       included, error);
	}
	return failed;
}
