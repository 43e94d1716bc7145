/* SPDX-License-Identifier: MIT */
/*
 * /etc/default and /etc/sysconfig: the shell assignments that start ntpd,
 * through Augeas's own Shellvars lens.
 */
#include "lines.h"

#include <stdio.h>
#include <string.h>

#define LENS "Shellvars.lns"

/* Only letters, digits and underscores: the name goes into a path expression.
 */
static bool is_name(const char *name)
{
	return name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")] == '\0';
}

static struct augeas *load(const char *file, const char *text, const char *name,
                           struct sg_error *error)
{
	struct augeas *augeas = aug_init(
		NULL, NULL, AUG_NO_LOAD | AUG_NO_MODL_AUTOLOAD | AUG_NO_ERR_CLOSE);
	size_t size = strlen(text);
	sg_auto_free char *ended = malloc(size + 2);

	if (augeas != NULL && ended != NULL && is_name(name)) {
		memcpy(ended, text, size + 1);
		if (size > 0 && text[size - 1] != '\n')
			memcpy(ended + size, "\n", 2);
		if (aug_set(augeas, "/text", ended) == 0 &&
		    aug_text_store(augeas, LENS, "/text", "/tree") == 0)
			return augeas;
	}
	sg_fail(error, "defaults-unusable",
	        "%s cannot be read as shell assignments (Augeas: %s); simplify the "
	        "file",
	        file, augeas != NULL ? aug_error_message(augeas) : "not started");
	sg_cleanup_augeas(&augeas);
	return NULL;
}

/* The value as it is written; NULL when there is none. The last one counts. */
static const char *written_value(struct augeas *augeas, const char *name)
{
	const char *value = NULL;
	char path[128];

	snprintf(path, sizeof path, "/tree/%s[last()]", name);
	return aug_get(augeas, path, &value) == 1 ? value : NULL;
}

int sg_defaults_get(const char *file, const char *text, const char *name,
                    char **value, struct sg_error *error)
{
	sg_auto_augeas struct augeas *augeas = load(file, text, name, error);

	*value = NULL;
	if (augeas == NULL)
		return -1;
	const char *written = written_value(augeas, name);
	if (written == NULL)
		return 0;
	size_t length = strlen(written);
	if (length >= 2 && (written[0] == '"' || written[0] == '\'') &&
	    written[length - 1] == written[0])
		*value = strndup(written + 1, length - 2);
	else
		*value = strdup(written);
	return *value != NULL ? 0 : sg_fail_memory(error);
}

int sg_defaults_set(const char *file, const char *text, const char *name,
                    const char *value, char **result, char **before,
                    struct sg_error *error)
{
	sg_auto_augeas struct augeas *augeas = load(file, text, name, error);
	const char *written = NULL;
	const char *after = NULL;
	char path[128];

	*result = NULL;
	*before = NULL;
	if (augeas == NULL)
		return -1;
	written = written_value(augeas, name);
	if (written != NULL) {
		*before = strdup(written);
		if (*before == NULL)
			return sg_fail_memory(error);
	}
	snprintf(path, sizeof path, "/tree/%s%s", name,
	         written != NULL ? "[last()]" : "");
	int failed = value == NULL ? aug_rm(augeas, path) < 0
	                           : aug_set(augeas, path, value) != 0;
	if (failed ||
	    aug_text_retrieve(augeas, LENS, "/text", "/tree", "/after") != 0 ||
	    aug_get(augeas, "/after", &after) != 1 || after == NULL)
		return sg_fail(error, "defaults-unusable",
		               "%s cannot take %s=%s (Augeas: %s); set it by hand",
		               file, name, value != NULL ? value : "",
		               aug_error_message(augeas));
	*result = strdup(after);
	return *result != NULL ? 0 : sg_fail_memory(error);
}
