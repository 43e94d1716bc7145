/* SPDX-License-Identifier: MIT */
/*
 * What a run leaves for the next one: below the state directory the config as
 * it was, and what --override-dhcp replaced; in /run, since it ends with the
 * boot, the ntpd that has not read the new config. Losing it costs a restart,
 * or the undoing of the override.
 */
#include "tools.h"

#include <stdio.h>
#include <string.h>

#define UNREAD_FILE "/run/skewgate/unread.json"
#define OVERRIDE_FILE SG_STATE_DIR "/dhcp-override.json"
#define MAX_STATE ((size_t)64 * 1024)

static int store(const struct host *host, const char *path, json_t *value,
                 struct sg_error *error)
{
	sg_auto_free char *text =
		value == NULL ? NULL : json_dumps(value, JSON_INDENT(2));

	json_decref(value);
	return text == NULL ? sg_fail_memory(error)
	                    : sg_file_store(host->root, path, 0600, text,
	                                    strlen(text), error);
}

static json_t *load(const struct host *host, const char *path)
{
	sg_auto_file struct sg_file file = SG_NO_FILE;
	struct sg_error ignored = {0};

	if (sg_file_read(host->root, path, MAX_STATE, &file, &ignored) != 0)
		return NULL;
	return json_loadb(file.bytes, file.size, JSON_REJECT_DUPLICATES, NULL);
}

int state_keep_original(const struct host *host, const struct sg_file *file,
                        struct sg_error *error)
{
	sg_auto_free char *name = strdup(file->path);
	sg_auto_free char *path = NULL;

	/* A text with our block is not the original any more. */
	if (strstr(file->bytes, SG_NTPCONF_MARK) != NULL)
		return 0;
	if (name == NULL)
		return sg_fail_memory(error);
	for (char *byte = name; *byte != '\0'; byte++)
		if (*byte == '/')
			*byte = '-';
	if (asprintf(&path, SG_STATE_DIR "/original%s%s", name[0] == '-' ? "" : "-",
	             name) < 0) {
		path = NULL;
		return sg_fail_memory(error);
	}
	return sg_file_store(host->root, path, 0600, file->bytes, file->size,
	                     error);
}

/* Process ids begin anew with each boot (random(4), boot_id). */
static char *boot_id(void)
{
	sg_auto_file struct sg_file file = SG_NO_FILE;
	struct sg_error ignored = {0};

	if (sg_file_read(-1, "/proc/sys/kernel/random/boot_id", 64, &file,
	                 &ignored) != 0)
		return strdup("unknown");
	return strndup(file.bytes, strcspn(file.bytes, "\n"));
}

int state_note_unread(const struct host *host, struct sg_error *error)
{
	sg_auto_free char *boot = boot_id();

	/* None of this host's reads the file, or none runs. */
	if (host->ntpd.pid == 0)
		return 0;
	return store(host, UNREAD_FILE,
	             json_pack("{s:s, s:I, s:I}", "boot_id",
	                       boot != NULL ? boot : "", "pid",
	                       (json_int_t)host->ntpd.pid, "started",
	                       (json_int_t)host->ntpd.started),
	             error);
}

void state_drop_unread(void)
{
	struct sg_error ignored = {0};

	(void)sg_file_remove(-1, UNREAD_FILE, &ignored);
}

bool state_is_unread(const struct host *host)
{
	json_t *note = load(host, UNREAD_FILE);
	sg_auto_free char *boot = boot_id();
	const char *noted = NULL;
	json_int_t pid = 0;
	json_int_t started = 0;

	bool unread = json_unpack(note, "{s:s, s:I, s:I}", "boot_id", &noted, "pid",
	                          &pid, "started", &started) == 0 &&
	              boot != NULL && strcmp(noted, boot) == 0 &&
	              pid == (json_int_t)host->ntpd.pid &&
	              started == (json_int_t)host->ntpd.started;
	json_decref(note);
	return unread;
}

int state_keep_override(const struct host *host, const char *file,
                        const char *variable, const char *value,
                        struct sg_error *error)
{
	return store(host, OVERRIDE_FILE,
	             json_pack("{s:s, s:s, s:s?}", "file", file, "variable",
	                       variable, "value", value),
	             error);
}

int state_read_override(const struct host *host, bool *known, char **file,
                        char **variable, char **value, struct sg_error *error)
{
	json_t *note = load(host, OVERRIDE_FILE);
	const char *its_file = NULL;
	const char *its_variable = NULL;
	json_t *its_value = NULL;

	*file = *variable = *value = NULL;
	*known = json_unpack(note, "{s:s, s:s, s:o}", "file", &its_file, "variable",
	                     &its_variable, "value", &its_value) == 0;
	if (*known) {
		*file = strdup(its_file);
		*variable = strdup(its_variable);
		*value = json_is_string(its_value)
		             ? strdup(json_string_value(its_value))
		             : NULL;
	}
	json_decref(note);
	return *known && (*file == NULL || *variable == NULL)
	           ? sg_fail_memory(error)
	           : 0;
}

int state_drop_override(const struct host *host, struct sg_error *error)
{
	return sg_file_remove(host->root, OVERRIDE_FILE, error);
}
