/* Cleanup bound to scope, and the two lists that own their texts. */
#include "base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void sg_cleanup_free(void *pointer)
{
	void *memory;

	memcpy(&memory, pointer, sizeof memory);
	free(memory);
}

void sg_cleanup_close(const int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
}

int sg_texts_add(struct sg_texts *texts, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		return -1;

	char **items = reallocarray(texts->items, texts->count + 1, sizeof *items);
	if (items == NULL) {
		free(text);
		return -1;
	}
	texts->items = items;
	texts->items[texts->count++] = text;
	return 0;
}

void sg_texts_free(struct sg_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->items[i]);
	free(texts->items);
	*texts = (struct sg_texts){0};
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

	struct sg_error *warning = &items[warnings->count++];
	snprintf(warning->code, sizeof warning->code, "%s", code);
	va_start(arguments, format);
	vsnprintf(warning->text, sizeof warning->text, format, arguments);
	va_end(arguments);
	return 0;
}

void sg_warnings_free(struct sg_warnings *warnings)
{
	free(warnings->items);
	*warnings = (struct sg_warnings){0};
}
