/* SPDX-License-Identifier: MIT */
/*
 * Whom the clock record's timer may ask: a drop-in for its unit.
 *
 * skewgate-clock.service talks to this host and to Amazon's servers alone. With
 * another server it would measure nothing, and the gate would lose its record.
 */
#include "tools.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define DROP_IN "/etc/systemd/system/skewgate-clock.service.d/servers.conf"

/* A text that begins with another line is somebody else's. */
#define MARK                                                                   \
	"# skewgate: the servers that the clock is measured against. \"skewgate "  \
	"revert\" removes this file.\n"

#define MAX_DROP_IN ((size_t)64 * 1024)

/* Whether the unit lets the server be asked as it is shipped. */
static bool is_allowed(const char *server)
{
	return sg_ntpconf_same_server(server, SG_AMAZON_IPV4) ||
	       sg_ntpconf_same_server(server, SG_AMAZON_IPV6);
}

/* The drop-in's text, for the caller to free; "" when none is needed, NULL
 * without memory. */
static char *compose(const char *const *servers, size_t count)
{
	sg_auto_free char *allowed = strdup("");

	for (size_t i = 0; i < count && allowed != NULL; i++) {
		char *longer = NULL;

		if (is_allowed(servers[i]))
			continue;
		/* Which addresses a name has is the name server's word, and that has
		 * an address of its own. */
		if (asprintf(&longer, "%s%s%s", allowed, allowed[0] != '\0' ? " " : "",
		             sg_ntpconf_is_address(servers[i]) ? servers[i] : "any") <
		    0)
			longer = NULL;
		free(allowed);
		allowed = longer;
	}
	char *text = NULL;
	if (allowed == NULL)
		return NULL;
	if (allowed[0] == '\0')
		return strdup("");
	if (asprintf(&text, MARK "[Service]\nIPAddressAllow=%s\n", allowed) < 0)
		return NULL;
	return text;
}

/* In a tree there may be a systemd that does not run yet. */
static bool has_systemd(const struct host *host)
{
	if (host->root < 0)
		return host->service.systemd;
	sg_auto_close int found = sg_open_below(host->root, "/etc/systemd", O_PATH);
	return found >= 0;
}

int timer_plan(const struct host *host, const char *const *servers,
               size_t count, struct own_file *file, struct report *report,
               struct sg_error *error)
{
	sg_auto_file struct sg_file now = SG_NO_FILE;
	sg_auto_free char *text = compose(servers, count);
	struct sg_error reason = {0};

	*file = (struct own_file){.path = DROP_IN};
	if (text == NULL)
		return sg_fail_memory(error);
	if (!host->is_live || (text[0] != '\0' && !has_systemd(host)))
		return 0;
	bool there =
		sg_file_read(host->root, DROP_IN, MAX_DROP_IN, &now, &reason) == 0;
	if (!there && strcmp(reason.code, "file-missing") != 0) {
		*error = reason;
		return -1;
	}
	if (strcmp(there ? now.bytes : "", text) == 0)
		return 0;
	if (there && strncmp(now.bytes, MARK, strlen(MARK)) != 0) {
		if (text[0] != '\0' &&
		    sg_warn(&report->warnings, "timer-cannot-ask",
		            "%s is not skewgate's, and was left; it lacks what lets "
		            "skewgate-clock.service ask the servers: %s",
		            DROP_IN, strstr(text, "IPAddressAllow")) != 0)
			return sg_fail_memory(error);
		return 0;
	}
	file->planned = true;
	if (there) {
		file->before = now.bytes;
		now.bytes = NULL;
	}
	if (text[0] != '\0') {
		file->after = text;
		text = NULL;
	}
	return 0;
}
