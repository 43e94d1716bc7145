/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as ntp.conf: the plan is made or refused with a reason; made twice
 * it is made once; undone, the bytes are back.
 */
#include "lib/ntpconf/ntpconf.h"
#include "fuzz.h"

#include <string.h>

static int plan(const char *text, size_t size, bool exclusive,
                struct sg_ntpconf_plan *made)
{
	static const char *const servers[] = {SG_AMAZON_IPV4};
	const struct sg_ntpconf_request request = {
		.servers = servers,
		.server_count = 1,
		.server_options = "prefer iburst minpoll 4 maxpoll 4",
		.exclusive = exclusive,
	};
	struct sg_error error = {0};

	*made = (struct sg_ntpconf_plan){0};
	int failed = sg_ntpconf_plan("f", text, size, &request, made, &error);
	expect(failed == 0 || (error.code[0] != '\0' && error.text[0] != '\0' &&
	                       strcmp(error.code, "internal") != 0));
	return failed;
}

static void make_and_undo(const char *text, size_t size, bool exclusive)
{
	struct sg_ntpconf_plan made = {0};
	struct sg_ntpconf_plan again = {0};
	struct sg_ntpconf_plan undone = {0};
	struct sg_error error = {0};

	if (plan(text, size, exclusive, &made) == 0) {
		expect(plan(made.text, made.size, exclusive, &again) == 0);
		expect(!again.changed);
		expect(sg_ntpconf_plan_revert("f", made.text, made.size, &undone,
		                              &error) == 0);
		/* A text that held our marks already loses them, as it should. */
		if (memmem(text, size, "skewgate", strlen("skewgate")) == NULL)
			expect(undone.size == size && memcmp(undone.text, text, size) == 0);
	}
	sg_ntpconf_plan_free(&made);
	sg_ntpconf_plan_free(&again);
	sg_ntpconf_plan_free(&undone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (text == NULL || size == 0) {
		free(text);
		return 0;
	}
	/* The first byte chooses the options. */
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	make_and_undo(text, size - 1, data[0] & 1);
	free(text);
	return 0;
}
