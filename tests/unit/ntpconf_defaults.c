/* SPDX-License-Identifier: MIT */
/* The file of shell assignments: read, changed, and changed back. */
#include "check.h"

#include "lib/ntpconf/ntpconf.h"

#include <string.h>

#define FILE_TEXT                                                              \
	"NTPD_OPTS=\"-g -N\"\n\n# a comment\nIGNORE_DHCP=\"\"\n\nOTHER='x y'\n"

static void test_get(void **state)
{
	struct sg_error error;
	char *value = NULL;

	(void)state;
	assert_done(sg_defaults_get("f", FILE_TEXT, "NTPD_OPTS", &value, &error),
	            error);
	assert_string_equal(value, "-g -N");
	free(value);
	assert_done(sg_defaults_get("f", FILE_TEXT, "OTHER", &value, &error),
	            error);
	assert_string_equal(value, "x y");
	free(value);
	assert_done(sg_defaults_get("f", FILE_TEXT, "NONE", &value, &error), error);
	assert_null(value);
	assert_done(sg_defaults_get("f", "A=1\nA=2\n", "A", &value, &error), error);
	assert_string_equal(value, "2");
	free(value);
}

static void change_and_back(const char *text, const char *expected)
{
	struct sg_error error;
	char *changed = NULL;
	char *before = NULL;
	char *back = NULL;
	char *was = NULL;

	assert_done(sg_defaults_set("f", text, "IGNORE_DHCP", "yes", &changed,
	                            &before, &error),
	            error);
	assert_string_equal(changed, expected);
	assert_done(sg_defaults_set("f", changed, "IGNORE_DHCP", before, &back,
	                            &was, &error),
	            error);
	assert_string_equal(back, text);
	assert_string_equal(was, "yes");
	free(changed);
	free(before);
	free(back);
	free(was);
}

static void test_set(void **state)
{
	(void)state;
	change_and_back("A=1\nIGNORE_DHCP=\"\" # c\n#B\n",
	                "A=1\nIGNORE_DHCP=yes # c\n#B\n");
	change_and_back("IGNORE_DHCP=no\n", "IGNORE_DHCP=yes\n");
	change_and_back("A=1\n", "A=1\nIGNORE_DHCP=yes\n");
	change_and_back("", "IGNORE_DHCP=yes\n");
}

static void test_unusable(void **state)
{
	struct sg_error error;
	char *value = NULL;

	(void)state;
	assert_int_equal(
		sg_defaults_get("/etc/x", "for a b c\n{{\n", "A", &value, &error), -1);
	assert_string_equal(error.code, "defaults-unusable");
	assert_non_null(strstr(error.text, "/etc/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_unusable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
