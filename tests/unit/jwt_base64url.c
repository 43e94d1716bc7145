/* SPDX-License-Identifier: MIT */
/* base64url: every byte string has one spelling. */
#include "check.h"

#include "lib/jwt/jwt.h"

#include <string.h>

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int decode(const char *text, unsigned char *bytes, size_t *size)
{
	return sg_base64url_decode(text, strlen(text), bytes, size);
}

/* RFC 4648 section 10, without padding. */
static void test_examples(void **state)
{
	static const char *const examples[][2] = {
		{"", ""},
		{"Zg", "f"},
		{"Zm8", "fo"},
		{"Zm9v", "foo"},
		{"Zm9vYg", "foob"},
		{"Zm9vYmE", "fooba"},
		{"Zm9vYmFy", "foobar"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
		unsigned char bytes[8];
		size_t size = 99;

		assert_int_equal(decode(examples[i][0], bytes, &size), 0);
		assert_int_equal(size, strlen(examples[i][1]));
		assert_int_equal(size, SG_BASE64URL_BYTES(strlen(examples[i][0])));
		assert_memory_equal(bytes, examples[i][1], size);
	}
}

/* Of the 4096 texts with two characters, 256 are a byte. */
static void test_two_characters(void **state)
{
	unsigned seen[256] = {0};

	(void)state;
	for (size_t i = 0; i < 64; i++)
		for (size_t k = 0; k < 64; k++) {
			const char text[] = {alphabet[i], alphabet[k], '\0'};
			unsigned char byte = 0;
			size_t size = 0;

			if (decode(text, &byte, &size) == 0) {
				assert_int_equal(size, 1);
				seen[byte]++;
			}
		}
	for (size_t byte = 0; byte < 256; byte++)
		assert_int_equal(seen[byte], 1);
}

static void test_other_characters(void **state)
{
	(void)state;
	for (int character = 0; character < 256; character++) {
		const char text[] = {'A', 'A', (char)character, 'A'};
		unsigned char bytes[3];
		size_t size = 0;
		bool known = character != 0 && strchr(alphabet, character) != NULL;

		assert_int_equal(sg_base64url_decode(text, sizeof text, bytes, &size),
		                 known ? 0 : -1);
	}
}

static void test_impossible_lengths(void **state)
{
	static const char *const texts[] = {"A",   "AAAAA", "AAAAAAAAA", "Zh",
	                                    "Zm9", "Zg==",  "Zg="};
	unsigned char bytes[8];
	size_t size = 0;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_int_equal(decode(texts[i], bytes, &size), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_two_characters),
		cmocka_unit_test(test_other_characters),
		cmocka_unit_test(test_impossible_lengths),
	};

	return cmocka_run_group_tests_name("jwt_base64url", tests, NULL, NULL);
}
