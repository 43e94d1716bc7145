/* Errors: a stable code and one sentence. */
#include "base.h"

#include <stdarg.h>
#include <stdio.h>

int sg_fail(struct sg_error *error, const char *code, const char *format, ...)
{
	va_list arguments;

	snprintf(error->code, sizeof error->code, "%s", code);
	va_start(arguments, format);
	vsnprintf(error->text, sizeof error->text, format, arguments);
	va_end(arguments);
	return -1;
}

int sg_fail_memory(struct sg_error *error)
{
	return sg_fail(error, "internal", "out of memory; nothing was done");
}
