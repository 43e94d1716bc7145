/* SPDX-License-Identifier: MIT */
/* Cleanup bound to scope, and the list that owns its texts. */
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
