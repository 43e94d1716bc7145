/* skewgate query: what time servers say, as `ntpdate -q` tells it. */
#include "tools.h"

#include <getopt.h>
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

int cmd_query(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};
	static const char *const amazon = SG_AMAZON_IPV4;
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
	struct report report;
	const char *unknown = NULL;
	json_t *array = NULL;
	bool any = false;
	int option = 0;
	int failed = 0;

	report_begin(&report);
	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'j')
			report.json = true;
		else if (unknown == NULL)
			unknown = argv[optind - 1];
	}
	size_t count = (size_t)(argc - optind);
	if (unknown != NULL)
		return report_usage(&report,
		                    "%.100s is no option of query, or takes no value; "
		                    "it knows --json only",
		                    unknown);
	if (count > SG_MAX_ADDRESSES)
		return report_usage(&report, "query asks %d servers at most",
		                    SG_MAX_ADDRESSES);
	if (report.json)
		array = json_array();

	size_t asked = sg_sntp_query(
		count > 0 ? (const char *const *)(argv + optind) : &amazon,
		count > 0 ? count : 1, &sg_sntp_defaults, answers);
	for (size_t i = 0; i < asked; i++) {
		any = any || answers[i].usable;
		if (array != NULL)
			json_array_append_new(array, answer_json(&answers[i]));
		else
			print_answer(&answers[i]);
	}
	if (array != NULL)
		failed = print_json(array, DIGITS_OF_OFFSET);
	else
		failed = fflush(stdout);
	if (failed != 0) {
		fputs("skewgate: the answer could not be written\n", stderr);
		return EXIT_INTERNAL;
	}
	return any ? EXIT_DONE : EXIT_NO_ANSWER;
}
