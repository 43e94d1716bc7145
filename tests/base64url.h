/* SPDX-License-Identifier: MIT */
/* base64url for tests that sign tokens themselves: the library only decodes. */
#ifndef SG_TESTS_BASE64URL_H
#define SG_TESTS_BASE64URL_H

#include <stddef.h>

static size_t encode(const void *bytes, size_t size, char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *from = bytes;
	size_t length = 0;
	unsigned bits = 0;
	int held = 0;

	for (size_t i = 0; i < size; i++) {
		bits = bits << 8 | from[i];
		for (held += 8; held >= 6; held -= 6)
			text[length++] = digits[bits >> (held - 6) & 63];
	}
	if (held > 0)
		text[length++] = digits[bits << (6 - held) & 63];
	return length;
}

#endif
