/* SPDX-License-Identifier: MIT */
/* Which config ntpd's options name, as ntpsec's and the classic ntpd read them.
 */
#include "check.h"

#include "lib/daemon/daemon.h"

#include <stdio.h>
#include <string.h>

/* The config that an option string names; "" when it names none. */
static const char *config_of(const char *options)
{
	static char config[256];
	struct sg_texts words = {0};
	struct sg_error error = {0};

	assert_done(sg_ntpd_split_options("NTPD_OPTS", options, &words, &error),
	            error);
	const char *found = sg_ntpd_config(&words);
	snprintf(config, sizeof config, "%s", found != NULL ? found : "");
	sg_texts_free(&words);
	return config;
}

static void test_letters(void **state)
{
	(void)state;
	assert_string_equal(config_of("-c /a"), "/a");
	assert_string_equal(config_of("-c/a"), "/a");
	assert_string_equal(config_of("-gNc /a"), "/a");
	assert_string_equal(config_of("-gNc/a"), "/a");
	assert_string_equal(config_of("\t-g  -N\n-c  /a "), "/a");
	assert_string_equal(config_of("-g -N -u ntpsec:ntpsec"), "");
	assert_string_equal(config_of(""), "");
	assert_string_equal(config_of("-c"), "");
	assert_string_equal(config_of("-g server.example c"), "");
}

/* What looks like -c, but is another option's argument. */
static void test_arguments(void **state)
{
	/* As in ntpsec's own option string, and the classic ntpd's usage. */
	static const char letters[] = "DfiIklpPrstuUw";

	(void)state;
	for (size_t i = 0; letters[i] != '\0'; i++) {
		char options[64];

		snprintf(options, sizeof options, "-g%c -c/wrong", letters[i]);
		assert_string_equal(config_of(options), "");
		snprintf(options, sizeof options, "-%c x -c /a", letters[i]);
		assert_string_equal(config_of(options), "/a");
		snprintf(options, sizeof options, "-%cc /wrong", letters[i]);
		assert_string_equal(config_of(options), "");
	}
	assert_string_equal(config_of("-p /run/c -gc /a -x"), "/a");
	assert_string_equal(config_of("-c -g"), "-g");
}

/* Those without one do not take the next word. */
static void test_flags(void **state)
{
	static const char letters[] = "46aAbdgGhLmMnNqVxzZ";

	(void)state;
	for (size_t i = 0; letters[i] != '\0'; i++) {
		char options[64];

		snprintf(options, sizeof options, "-%c -c /a", letters[i]);
		assert_string_equal(config_of(options), "/a");
		snprintf(options, sizeof options, "-%cc /a", letters[i]);
		assert_string_equal(config_of(options), "/a");
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(config_of("--configfile=/a"), "/a");
	assert_string_equal(config_of("--configfile /a"), "/a");
	assert_string_equal(config_of("--config=/a -g"), "/a");
	assert_string_equal(config_of("--pidfile -c/wrong"), "");
	assert_string_equal(config_of("--pidfile=/p -c/a"), "/a");
	assert_string_equal(config_of("--panicgate -c/a"), "/a");
	assert_string_equal(config_of("--configfiles=/wrong"), "");
	assert_string_equal(config_of("--configfile"), "");
	assert_string_equal(config_of("--user --configfile=/wrong"), "");
}

static void test_the_last_one_counts(void **state)
{
	(void)state;
	assert_string_equal(config_of("-c /a --configfile=/b -gc /c"), "/c");
	assert_string_equal(config_of("-c /a -- -c /b"), "/a");
}

/* What only a shell, or systemd, could read is no plain word. */
static void test_unreadable(void **state)
{
	static const char *const bad[] = {
		"-g -c $CONF", "-c ${CONF}",     "-c `echo /a`", "-c \"/a\"", "-c '/a'",
		"-c /a\\ b",   "-c /etc/*.conf", "-c /a?",       "-c /[a]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct sg_texts words = {0};
		struct sg_error error = {0};

		assert_int_equal(sg_ntpd_split_options("NTPD_OPTS in /etc/default/ntp",
		                                       bad[i], &words, &error),
		                 -1);
		assert_string_equal(error.code, "options-unreadable");
		assert_non_null(strstr(error.text, "NTPD_OPTS in /etc/default/ntp"));
		assert_int_equal(words.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_the_last_one_counts),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
