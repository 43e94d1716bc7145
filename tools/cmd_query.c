/* SPDX-License-Identifier: MIT */
/* skewgate query: what time servers say, as `ntpdate -q` tells it. */
#include "tools.h"

#include <stdio.h>
#include <string.h>

static json_t *answer_json(const struct sg_sntp_answer *answer)
{
	if (answer->usable)
		return json_pack("{s:s, s:s, s:f, s:f, s:i, s:i, s:f, s:n}", "server",
		                 answer->server, "address", answer->address, "offset_s",
		                 (double)answer->offset / 1e6, "delay_s",
		                 (double)answer->delay / 1e6, "stratum",
		                 answer->stratum, "leap", answer->leap,
		                 "root_distance_s", (double)answer->root_distance / 1e6,
		                 "error");
	return json_pack(
		"{s:s, s:o, s:n, s:n, s:n, s:n, s:n, s:{s:s, s:s}}", "server",
		answer->server, "address",
		answer->address[0] != '\0' ? json_string(answer->address) : json_null(),
		"offset_s", "delay_s", "stratum", "leap", "root_distance_s", "error",
		"code", answer->error.code, "text", answer->error.text);
}

static void print_answer(const struct sg_sntp_answer *answer)
{
	if (answer->usable)
		printf("%s: offset %+.6f s, delay %.6f s, stratum %d, root distance "
		       "%.6f s, leap %d\n",
		       answer->address, (double)answer->offset / 1e6,
		       (double)answer->delay / 1e6, answer->stratum,
		       (double)answer->root_distance / 1e6, answer->leap);
	else
		fprintf(stderr, "skewgate: %s [%s]\n", answer->error.text,
		        answer->error.code);
}

int cmd_query(const struct options *options)
{
	static const char *const amazon = SG_AMAZON_IPV4;
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
	json_t *array = options->json ? json_array() : NULL;
	size_t count = options->operand_count;
	bool any = false;
	int failed = 0;

	size_t asked =
		sg_sntp_query(count > 0 ? options->operands : &amazon,
	                  count > 0 ? count : 1, &sg_sntp_defaults, answers);
	for (size_t i = 0; i < asked; i++) {
		any = any || answers[i].usable;
		if (options->json)
			json_array_append_new(array, answer_json(&answers[i]));
		else
			print_answer(&answers[i]);
	}
	if (options->json)
		failed = print_json(array, DIGITS_OF_OFFSET);
	else
		failed = fflush(stdout);
	if (failed != 0) {
		fputs("skewgate: the answer could not be written\n", stderr);
		return EXIT_INTERNAL;
	}
	return any ? EXIT_DONE : EXIT_NO_ANSWER;
}
