/*
 * base64url, strictly.
 *
 * A decoder that forgives padding, line breaks or stray tail bits gives one
 * token many spellings, and whoever compares or remembers tokens can be passed
 * by.
 */
#include "jwt.h"

static int value_of(char character)
{
	if (character >= 'A' && character <= 'Z')
		return character - 'A';
	if (character >= 'a' && character <= 'z')
		return character - 'a' + 26;
	if (character >= '0' && character <= '9')
		return character - '0' + 52;
	if (character == '-')
		return 62;
	return character == '_' ? 63 : -1;
}

int sg_base64url_decode(const char *text, size_t size, unsigned char *bytes,
                        size_t *decoded)
{
	uint32_t bits = 0;
	unsigned held = 0;

	*decoded = 0;
	for (size_t i = 0; i < size; i++) {
		int value = value_of(text[i]);

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			bytes[(*decoded)++] = (unsigned char)(bits >> held);
			bits &= (1U << held) - 1;
		}
	}
	/* A lone character holds six bits: no byte ends there. */
	return held < 6 && bits == 0 ? 0 : -1;
}
