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
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
