/* SPDX-License-Identifier: MIT */
/* Errors and warnings, and the lists that hold texts. */
#include "check.h"

#include "lib/base/base.h"

#include <string.h>

static void test_fail(void **state)
{
	struct sg_error error;
	char long_text[2 * SG_TEXT_SIZE];

	(void)state;
	assert_int_equal(sg_fail(&error, "some-code", "%s:%d", "file", 7), -1);
	assert_string_equal(error.code, "some-code");
	assert_string_equal(error.text, "file:7");

	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	sg_fail(&error, long_text, "%s", long_text);
	assert_int_equal(strlen(error.code), SG_CODE_SIZE - 1);
	assert_int_equal(strlen(error.text), SG_TEXT_SIZE - 1);
}

/* What a config or a program says must not reach a terminal as it is. */
static void test_control_characters(void **state)
{
	struct sg_error error;
	struct sg_warnings warnings = {0};

	(void)state;
	sg_fail(&error, "c", "%s", "a\x1b[2J\rb\x7f\nwarning: no\n\n");
	assert_string_equal(error.text, "a [2J b  warning: no");
	assert_int_equal(sg_warn(&warnings, "c", "%s", "a\nb"), 0);
	assert_string_equal(warnings.items[0].text, "a b");
	sg_warnings_free(&warnings);
}

/* UTF-8 has control characters of its own: U+009B begins a terminal's sequence.
 */
static void test_bytes_above_ascii(void **state)
{
	struct sg_error error;
	char long_text[2 * SG_TEXT_SIZE];

	(void)state;
	sg_fail(&error, "c", "%s",
	        "\xc2\x9b"
	        "31m ~ /home/\xc3\xa9/x \xff\x80");
	assert_string_equal(error.text,
	                    "\\xC2\\x9B31m ~ /home/\\xC3\\xA9/x \\xFF\\x80");
	/* What is cut ends before an escape, not within one. */
	for (size_t plain = 0; plain < 8; plain++) {
		memset(long_text, 'x', plain);
		memset(long_text + plain, '\xe9', SG_TEXT_SIZE);
		long_text[plain + SG_TEXT_SIZE] = '\0';
		sg_fail(&error, "c", "%s", long_text);
		size_t length = strlen(error.text);
		assert_true(length < SG_TEXT_SIZE && length >= SG_TEXT_SIZE - 4);
		assert_int_equal((length - plain) % 4, 0);
		assert_string_equal(error.text + length - 4, "\\xE9");
	}
}

static void test_quotations(void **state)
{
	static const struct {
		const char *text;
		const char *quoted;
	} cases[] = {
		{"", "\"\""},
		{"https://a.example/~b c", "\"https://a.example/~b c\""},
		{"a\"b\\c", "\"a\\x22b\\x5Cc\""},
		{"\x1b[m\n\x7f\xc3\xa9", "\"\\x1B[m\\x0A\\x7F\\xC3\\xA9\""},
	};
	char text[2 * SG_QUOTED_SIZE];
	char quoted[SG_QUOTED_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		sg_quote(cases[i].text, quoted);
		assert_string_equal(quoted, cases[i].quoted);
	}
	/* Whatever the length, it is whole between its marks, or says that it is
	 * not. */
	for (size_t length = 0; length < sizeof text; length++)
		for (int escaped = 0; escaped < 2; escaped++) {
			memset(text, escaped ? '\n' : 'x', length);
			text[length] = '\0';
			sg_quote(text, quoted);
			size_t size = strlen(quoted);
			size_t whole = length * (escaped ? 4 : 1) + 2;

			assert_true(size < SG_QUOTED_SIZE && quoted[size - 1] == '"');
			if (size != whole)
				assert_string_equal(quoted + size - 4, "...\"");
		}
}

static void test_lists(void **state)
{
	struct sg_texts texts = {0};
	struct sg_warnings warnings = {0};

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(sg_texts_add(&texts, "text %d", i), 0);
		assert_int_equal(sg_warn(&warnings, "code", "warning %d", i), 0);
	}
	assert_int_equal(texts.count, 100);
	assert_string_equal(texts.items[99], "text 99");
	assert_string_equal(warnings.items[99].text, "warning 99");
	sg_texts_free(&texts);
	sg_warnings_free(&warnings);
	assert_int_equal(texts.count + warnings.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fail),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_bytes_above_ascii),
		cmocka_unit_test(test_quotations),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
