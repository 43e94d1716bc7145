/* SPDX-License-Identifier: MIT */
/* Values as JSON. */
#include "base.h"

#include <jansson.h>
#include <string.h>

/* JSON is UTF-8; the strings of files and programs may not be. */
json_t *sg_json_string(const char *text)
{
	json_t *value = text == NULL ? NULL : json_string(text);
	sg_auto_free char *copy =
		text == NULL || value != NULL ? NULL : strdup(text);

	if (copy == NULL)
		return value != NULL ? value : json_null();
	for (char *byte = copy; *byte != '\0'; byte++)
		if ((unsigned char)*byte >= 128)
			*byte = '?';
	return json_string(copy);
}

json_t *sg_json_seconds(bool known, sg_usec time)
{
	return known ? json_real((double)time / 1e6) : json_null();
}
