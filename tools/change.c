/* SPDX-License-Identifier: MIT */
/*
 * The change to the host, and its way back.
 *
 * Files first, then ntpd; whatever fails in between, the host ends with a
 * config that is whole and with an ntpd that runs, if one ran before.
 */
#include "tools.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* For the commands that are asked of systemd, and for diff(1). */
#define RELOAD_LIMIT (60 * SG_SECOND)
#define DIFF_LIMIT (10 * SG_SECOND)

volatile sig_atomic_t stop_signal = 0;

static void note_signal(int signal)
{
	stop_signal = signal;
}

void catch_signals(void)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction action = {.sa_handler = note_signal};

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		struct sigaction former;

		/* nohup(1) and the like have their reasons. */
		if (sigaction(signals[i], NULL, &former) == 0 &&
		    former.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
	/* A reader that goes away must not stop us between stop and start. */
	signal(SIGPIPE, SIG_IGN);
}

void die_of_signal(void)
{
	if (stop_signal == 0)
		return;
	signal(stop_signal, SIG_DFL);
	raise(stop_signal);
}

/* ---- files -------------------------------------------------------------- */

static int remember(struct edit *edit)
{
	if (edit->before != NULL)
		return 0;
	edit->before_size = edit->file.size;
	edit->before = malloc(edit->file.size + 1);
	if (edit->before == NULL)
		return -1;
	memcpy(edit->before, edit->file.bytes, edit->file.size + 1);
	return 0;
}

static int write_edit(struct edit *edit, struct report *report,
                      struct sg_error *error)
{
	struct sg_error undo = {0};

	if (edit->text == NULL)
		return 0;
	if (remember(edit) != 0)
		return sg_fail_memory(error);
	report_step(report, "replacing %s", edit->file.path);
	if (sg_file_replace(&edit->file, edit->text, edit->size, error) == 0) {
		edit->done = true;
		report_action(report, "edited %s", edit->file.path);
		return 0;
	}
	/* The new file is in place but may not last: what was asked for is not
	 * reached, so the old one shall be there. */
	if (strcmp(error->code, "file-not-synced") == 0 &&
	    sg_file_replace(&edit->file, edit->before, edit->before_size, &undo) !=
	        0 &&
	    strcmp(undo.code, "file-not-synced") != 0) {
		report->state = CONFIG_NEW;
		report->changed = true;
	}
	return -1;
}

/* Returns whether the file has its old text. */
static bool undo_edit(struct edit *edit, struct report *report)
{
	struct sg_error error = {0};

	if (!edit->done)
		return true;
	if (!sg_file_is_unchanged(&edit->file)) {
		sg_warn(&report->warnings, "config-changed",
		        "%s was changed by somebody else meanwhile and was left as it "
		        "is; look at it",
		        edit->file.path);
		return false;
	}
	if (sg_file_replace(&edit->file, edit->before, edit->before_size, &error) !=
	    0) {
		bool is_back = strcmp(error.code, "file-not-synced") == 0;

		sg_warn(&report->warnings, is_back ? "file-not-synced" : "not-put-back",
		        "%s", error.text);
		if (!is_back)
			return false;
	}
	edit->done = false;
	report_action(report, "put %s back", edit->file.path);
	return true;
}

/* Gives a file of our own this text, or removes it, and tells systemd. */
static int set_own_file(struct change *change, const char *text,
                        struct sg_error *error)
{
	static const char *const reload[] = {"systemctl", "daemon-reload", NULL};
	const struct host *host = change->host;
	struct own_file *file = &change->timer;
	struct sg_command command = {0};
	struct sg_error reason = {0};

	int failed = text == NULL ? sg_file_remove(host->root, file->path, error)
	                          : sg_file_store(host->root, file->path, 0644,
	                                          text, strlen(text), error);
	if (failed != 0 || host->root >= 0 || !host->service.systemd)
		return failed;
	if (sg_command_run(reload, RELOAD_LIMIT, NULL, &command, &reason) != 0)
		sg_warn(&change->report->warnings, "units-not-reloaded",
		        "systemd did not read %s: %.700s; run \"systemctl "
		        "daemon-reload\"",
		        file->path, reason.text);
	sg_command_free(&command);
	return 0;
}

static int write_own_file(struct change *change, struct sg_error *error)
{
	struct own_file *file = &change->timer;

	if (!file->planned)
		return 0;
	if (set_own_file(change, file->after, error) != 0)
		return -1;
	file->done = true;
	report_action(change->report, "%s %s",
	              file->after == NULL    ? "removed"
	              : file->before == NULL ? "made"
	                                     : "edited",
	              file->path);
	return 0;
}

static void undo_own_file(struct change *change)
{
	struct own_file *file = &change->timer;
	struct sg_error error = {0};

	if (!file->done)
		return;
	if (set_own_file(change, file->before, &error) != 0) {
		sg_warn(&change->report->warnings, "not-put-back", "%s", error.text);
		return;
	}
	file->done = false;
	report_action(change->report,
	              file->before == NULL ? "removed %s" : "put %s back",
	              file->path);
}

static bool is_changed(const struct change *change)
{
	return change->config.done || change->defaults.done || change->timer.done;
}

int change_write(struct change *change, struct sg_error *error)
{
	struct report *report = change->report;
	struct edit *config = &change->config;
	bool linked = config->text != NULL && config->file.status.st_nlink > 1;

	/* The note comes first: should we be killed behind the rename, the next
	 * run must know that ntpd has not read the file. */
	if (config->text != NULL &&
	    (state_keep_original(change->host, &config->file, error) != 0 ||
	     state_note_unread(change->host, error) != 0))
		return -1;
	if (write_edit(&change->defaults, report, error) != 0 ||
	    write_own_file(change, error) != 0 ||
	    write_edit(config, report, error) != 0) {
		undo_edit(&change->defaults, report);
		undo_own_file(change);
		if (report->state == CONFIG_OLD)
			state_drop_unread();
		return -1;
	}
	if (linked)
		sg_warn(
			&report->warnings, "hard-link",
			"%s had another name (a hard link), which still has the old text",
			config->file.path);
	report->changed = is_changed(change);
	report->state = CONFIG_NEW;
	return 0;
}

void change_undo_files(struct change *change)
{
	struct report *report = change->report;

	if (!undo_edit(&change->config, report))
		report->state = sg_file_is_unchanged(&change->config.file)
		                    ? CONFIG_NEW
		                    : CONFIG_FOREIGN;
	else
		report->state = CONFIG_OLD;
	undo_edit(&change->defaults, report);
	undo_own_file(change);
	report->changed = is_changed(change);
}

/* Whether the path leads to the bytes that `edit` has read or written. */
static bool is_still_there(const struct host *host, const struct edit *edit)
{
	sg_auto_file struct sg_file now = SG_NO_FILE;
	struct sg_error ignored = {0};

	if (edit->file.path == NULL)
		return true;
	return sg_file_read(host->root, edit->file.path, SG_NTPCONF_MAX, &now,
	                    &ignored) == 0 &&
	       now.size == edit->file.size &&
	       memcmp(now.bytes, edit->file.bytes, now.size) == 0;
}

int change_compare(struct change *change, struct sg_error *error)
{
	const struct edit *foreign =
		!is_still_there(change->host, &change->config)     ? &change->config
		: !is_still_there(change->host, &change->defaults) ? &change->defaults
														   : NULL;

	if (foreign == NULL)
		return 0;
	change->report->state = CONFIG_FOREIGN;
	return sg_fail(error, "config-changed",
	               "%s was changed or removed by somebody else meanwhile, and "
	               "was left so; ntpd will lose the server at its next start, "
	               "see who writes that file, and run skewgate again",
	               foreign->file.path);
}

void change_free(struct change *change)
{
	sg_file_close(&change->config.file);
	sg_file_close(&change->defaults.file);
	free(change->config.before);
	free(change->defaults.before);
	free(change->timer.before);
	free(change->timer.after);
	free(change->override);
}

/* ---- their difference --------------------------------------------------- */

/* Text that a program can open by its name, without a file. */
static int text_descriptor(const char *text, size_t size)
{
	int descriptor = memfd_create("text", 0);

	if (descriptor >= 0 && write(descriptor, text, size) == (ssize_t)size)
		return descriptor;
	sg_cleanup_close(&descriptor);
	return -1;
}

/* Writes what `diff -u` says between two texts; NULL stands for no file. */
static int write_diff(FILE *out, const char *path, const char *before,
                      size_t before_size, const char *after, size_t after_size,
                      struct sg_error *error)
{
	sg_auto_close int old = text_descriptor(before, before_size);
	sg_auto_close int new = text_descriptor(after, after_size);
	sg_auto_free char *label = NULL;
	char old_path[64];
	char new_path[64];
	struct sg_command command;
	struct sg_error reason = {0};

	if (old < 0 || new < 0 || asprintf(&label, "--label=%s", path) < 0)
		return sg_fail_memory(error);
	/* The program inherits the descriptors, and finds them under its own self.
	 */
	snprintf(old_path, sizeof old_path, "/proc/self/fd/%d", old);
	snprintf(new_path, sizeof new_path, "/proc/self/fd/%d", new);
	const char *const arguments[] = {
		"diff",
		"--text",
		"-u",
		before != NULL ? label : "--label=/dev/null",
		after != NULL ? label : "--label=/dev/null",
		old_path,
		new_path,
		NULL,
	};
	sg_command_run(arguments, DIFF_LIMIT, NULL, &command, &reason);
	bool made = command.status == 0 || command.status == 1;
	if (made)
		fputs(command.output, out);
	sg_command_free(&command);
	return made ? 0
	            : sg_fail(error, "internal", "the diff cannot be made: %.700s",
	                      reason.text);
}

static int write_edits_diff(FILE *out, const struct edit *edit,
                            struct sg_error *error)
{
	const struct sg_file *file = &edit->file;

	return edit->text == NULL
	           ? 0
	           : write_diff(out, file->path, file->bytes, file->size,
	                        edit->text, edit->size, error);
}

static size_t length_of(const char *text)
{
	return text != NULL ? strlen(text) : 0;
}

char *change_diff(const struct change *change, struct sg_error *error)
{
	const struct own_file *timer = &change->timer;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL) {
		sg_fail_memory(error);
		return NULL;
	}
	int failed = write_edits_diff(out, &change->config, error);
	if (failed == 0)
		failed = write_edits_diff(out, &change->defaults, error);
	if (failed == 0 && timer->planned)
		failed = write_diff(out, timer->path, timer->before,
		                    length_of(timer->before), timer->after,
		                    length_of(timer->after), error);
	if (fclose(out) != 0 && failed == 0)
		failed = sg_fail_memory(error);
	if (failed == 0)
		return text;
	free(text);
	return NULL;
}

/* ---- ntpd --------------------------------------------------------------- */

/* From here on no signal that can be caught ends this run: ntpd may be stopped,
 * or its new config may be a broken one. */
static void hold_signals(struct change *change)
{
	static const int noted[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t mask;

	if (change->holds)
		return;
	sigfillset(&mask);
	for (size_t i = 0; i < sizeof noted / sizeof *noted; i++)
		sigdelset(&mask, noted[i]);
	change->holds = sigprocmask(SIG_BLOCK, &mask, &change->others) == 0;
}

/* ntpd runs again, or all that could be done for it was done. */
static void release_signals(struct change *change)
{
	if (change->holds)
		sigprocmask(SIG_SETMASK, &change->others, NULL);
	change->holds = false;
}

void change_enable(struct change *change)
{
	const struct sg_service *service = &change->host->service;
	struct sg_error error = {0};

	if (service->enabled || change->leaves_disabled)
		return;
	if (sg_service_enable(service, &error) == 0)
		report_action(change->report, "enabled %s", service->layout->service);
	else
		sg_warn(&change->report->warnings, error.code, "%s", error.text);
}

void change_warn_not_restarted(struct change *change)
{
	sg_warn(&change->report->warnings, "not-restarted",
	        "policy-rc.d does not let ntpd be restarted; restart %s when it "
	        "may be",
	        change->host->service.layout->service);
}

/* What went down with ntpd is started again, whatever became of ntpd. */
static void restore_dependents(struct change *change)
{
	struct report *report = change->report;
	struct sg_texts started = {0};

	sg_service_restore(&change->host->service, &started, &report->warnings);
	for (size_t i = 0; i < started.count; i++)
		report_action(report, "started %s", started.items[i]);
	sg_texts_free(&started);
}

int change_restart(struct change *change, struct sg_error *error)
{
	struct host *host = change->host;
	const char *name = host->service.layout->service;

	report_step(change->report, "%s %s",
	            change->was_running ? "restarting" : "starting", name);
	hold_signals(change);
	int failed = change->was_running
	                 ? sg_service_restart(&host->service, &host->ntpd, error)
	                 : sg_service_start(&host->service, &host->ntpd, error);
	if (failed != 0)
		return -1;
	report_action(change->report, "%s %s",
	              change->was_running ? "restarted" : "started", name);
	restore_dependents(change);
	release_signals(change);
	change_enable(change);
	return 0;
}

int change_step(struct change *change, struct proof *proof, enum sg_step method,
                bool *stepped, struct sg_error *error)
{
	struct report *report = change->report;
	struct host *host = change->host;
	const char *name = host->service.layout->service;
	const char *done = "";
	struct sg_error reason = {0};
	sg_usec offset = 0;

	report_step(report, "stopping %s", name);
	hold_signals(change);
	*stepped = sg_service_stop(&host->service, &reason) == 0;
	if (*stepped) {
		report_action(report, "stopped %s", name);
		if (stop_signal == 0)
			sg_step_clock(method, proof_address(proof), &stop_signal, &done,
			              &reason);
		*stepped = stop_signal == 0 && proof_measure(proof, &offset) &&
		           llabs(offset) <= SG_SYNCHRONISED_OFFSET;
		if (*stepped)
			report_action(report, "stepped the clock with %s", done);
		else if (stop_signal != 0)
			sg_fail(&reason, "step-failed", "a signal came before the step");
		else if (reason.code[0] == '\0')
			sg_fail(&reason, "step-failed",
			        "the clock is still off by %+.3f s after %s",
			        (double)offset / 1e6, done);
	}
	report_step(report, "starting %s", name);
	int failed = sg_service_start(&host->service, &host->ntpd, error);
	if (failed == 0) {
		report_action(report, "started %s", name);
		restore_dependents(change);
		release_signals(change);
		change_enable(change);
	}
	if (!*stepped)
		sg_warn(&report->warnings, "step-failed",
		        "%.800s; see whether this host may set its clock", reason.text);
	return failed;
}

/* Adds what ntpd logged to the reason; a panic is named. */
static void explain_death(struct change *change, char *text, size_t size)
{
	const struct sg_file *file = &change->config.file;
	sg_auto_free char *log_file =
		sg_ntpconf_log_file(file->path, file->bytes, file->size);
	sg_auto_free char *log = sg_service_log(&change->host->service, log_file);
	size_t used = strlen(text);

	if (log == NULL || log[0] == '\0')
		return;
	bool panic = strcasestr(log, "panic") != NULL ||
	             strcasestr(log, "sanity limit") != NULL;
	snprintf(text + used, size - used, "%s; its log ends: %s",
	         panic ? "; the clock was more than 1000 s off and ntpd gave up "
	                 "(panic), run skewgate setup --step"
	               : "",
	         log);
}

/* How the host is left after a rollback; starts ntpd again if it ran before. */
static const char *describe_rollback(struct change *change, bool changed)
{
	struct host *host = change->host;
	struct sg_error error = {0};
	bool left = change->report->state == CONFIG_FOREIGN;

	if (!change->was_running)
		return changed ? "the old config was put back; ntpd did not run before "
		                 "either"
		               : "ntpd did not run before either";
	if (sg_service_restart(&host->service, &host->ntpd, &error) == 0) {
		report_action(change->report, "restarted %s",
		              host->service.layout->service);
		return left ? "the config was left as somebody else has made it, and "
		              "ntpd runs on it"
		       : changed ? "the old config was put back, and ntpd runs on it"
		                 : "nothing was changed, and ntpd runs again";
	}
	if (sg_service_process(&host->service).pid != 0)
		return changed ? "the old config was put back, and the ntpd that runs "
		                 "could not be restarted on it"
		               : "nothing was changed, and ntpd still runs, though it "
		                 "could not be restarted";
	return left ? "the config was left as somebody else has made it, and ntpd "
	              "does not run on it"
	       : changed ? "the old config was put back, but ntpd does not run on "
	                   "that either"
	                 : "nothing was changed, and ntpd does not run any more";
}

int change_roll_back(struct change *change, const struct sg_error *reason)
{
	struct report *report = change->report;
	bool changed = is_changed(change);
	char text[SG_TEXT_SIZE];

	hold_signals(change);
	snprintf(text, sizeof text, "%.400s", reason->text);
	explain_death(change, text, sizeof text);
	change_undo_files(change);
	const char *outcome = describe_rollback(change, changed);
	restore_dependents(change);
	release_signals(change);
	/* What was measured and proved was another process. */
	report->after_known = false;
	report->synchronised = UNKNOWN;
	report->why = NULL;
	sg_fail(&report->error, "ntpd-died", "%s: %.900s", outcome, text);
	return EXIT_ROLLED_BACK;
}
