/* SPDX-License-Identifier: MIT */
/*
 * Errors and warnings: a stable code and one sentence.
 *
 * Sentences quote config files, tokens and the output of programs, and end up
 * on terminals and in logs. What could move a cursor or begin a line is taken
 * out; bytes above 126 are escaped, since UTF-8 has control characters, too
 * (U+009B begins a terminal's sequence as ESC [ does).
 */
#include "base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void fill(struct sg_error *error,
                                                       const char *code,
                                                       const char *format,
                                                       va_list arguments)
{
	char text[SG_TEXT_SIZE];
	size_t length = 0;

	snprintf(error->code, sizeof error->code, "%s", code);
	vsnprintf(text, sizeof text, format, arguments);
	for (const char *next = text; *next != '\0'; next++) {
		unsigned char byte = (unsigned char)*next;
		size_t needed = byte > 127 ? strlen("\\xXX") : 1;

		if (length + needed >= sizeof error->text)
			break;
		if (byte > 127)
			snprintf(error->text + length, needed + 1, "\\x%02X", byte);
		else
			error->text[length] = *next;
		if (byte < ' ' || byte == 127)
			error->text[length] = ' ';
		length += needed;
	}
	while (length > 0 && error->text[length - 1] == ' ')
		length--;
	error->text[length] = '\0';
}

int sg_fail(struct sg_error *error, const char *code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fill(error, code, format, arguments);
	va_end(arguments);
	return -1;
}

int sg_fail_memory(struct sg_error *error)
{
	return sg_fail(error, "internal", "out of memory; nothing was done");
}

void sg_quote(const char *text, char quoted[SG_QUOTED_SIZE])
{
	/* What still has to fit: an escape, the dots, the mark, the NUL. */
	const size_t last = SG_QUOTED_SIZE - strlen("\\xXX...\"") - 1;
	size_t length = 0;

	quoted[length++] = '"';
	for (; *text != '\0' && length <= last; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte >= ' ' && byte < 127 && byte != '"' && byte != '\\')
			quoted[length++] = *text;
		else
			length += (size_t)snprintf(quoted + length, SG_QUOTED_SIZE - length,
			                           "\\x%02X", byte);
	}
	snprintf(quoted + length, SG_QUOTED_SIZE - length, "%s\"",
	         *text != '\0' ? "..." : "");
}

int sg_warn(struct sg_warnings *warnings, const char *code, const char *format,
            ...)
{
	struct sg_error *items =
		reallocarray(warnings->items, warnings->count + 1, sizeof *items);
	va_list arguments;

	if (items == NULL)
		return -1;
	warnings->items = items;
	va_start(arguments, format);
	fill(&items[warnings->count++], code, format, arguments);
	va_end(arguments);
	return 0;
}

void sg_warnings_free(struct sg_warnings *warnings)
{
	free(warnings->items);
	*warnings = (struct sg_warnings){0};
}
