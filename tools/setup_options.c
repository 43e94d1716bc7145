/* The options of skewgate setup: read, and held against each other. */
#include "tools.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#define DEFAULT_OPTIONS "prefer iburst minpoll 4 maxpoll 4"
#define DEFAULT_WAIT 60

/* A day: longer than any boot should wait. */
#define MAX_WAIT 86400

#define MAX_NAME 253 /* RFC 1035 section 2.3.4 */

enum {
	NO_LETTER = 256,
	OPTION_SERVER,
	OPTION_SERVER_OPTIONS,
	OPTION_CONFIG,
	OPTION_STEP,
	OPTION_EXCLUSIVE,
	OPTION_OVERRIDE_DHCP,
	OPTION_NO_RESTART,
	OPTION_ROOT,
	OPTION_WAIT,
	OPTION_NO_PREFLIGHT,
	OPTION_DRY_RUN,
	OPTION_JSON,
	OPTION_QUIET,
	OPTION_VERBOSE
};

static const struct option long_options[] = {
	{"server", required_argument, NULL, OPTION_SERVER},
	{"server-options", required_argument, NULL, OPTION_SERVER_OPTIONS},
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"step", optional_argument, NULL, OPTION_STEP},
	{"exclusive", no_argument, NULL, OPTION_EXCLUSIVE},
	{"override-dhcp", no_argument, NULL, OPTION_OVERRIDE_DHCP},
	{"no-restart", no_argument, NULL, OPTION_NO_RESTART},
	{"root", required_argument, NULL, OPTION_ROOT},
	{"wait", required_argument, NULL, OPTION_WAIT},
	{"no-preflight", no_argument, NULL, OPTION_NO_PREFLIGHT},
	{"dry-run", no_argument, NULL, OPTION_DRY_RUN},
	{"json", no_argument, NULL, OPTION_JSON},
	{"quiet", no_argument, NULL, OPTION_QUIET},
	{"verbose", no_argument, NULL, OPTION_VERBOSE},
	{NULL, 0, NULL, 0},
};

/* Addresses and host names; nothing that could be another line or option. */
static bool is_server_name(const char *name)
{
	return name[0] != '\0' && name[0] != '-' && strlen(name) <= MAX_NAME &&
	       name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
	                         "xyz0123456789.:-")] == '\0';
}

static int add_server(struct setup_options *options, const char *name,
                      struct sg_error *error)
{
	if (!is_server_name(name) || sg_ntpconf_is_keyword(name))
		return sg_fail(
			error, "usage",
			"--server \"%.100s\" is neither an address nor a host name", name);
	for (size_t i = 0; i < options->server_count; i++)
		if (sg_ntpconf_same_server(options->servers[i], name))
			return 0;
	if (options->server_count == SG_MAX_SERVERS)
		return sg_fail(error, "usage",
		               "--server can be given %zu times at most",
		               SG_MAX_SERVERS);
	options->servers[options->server_count++] = name;
	return 0;
}

static int set_step(struct setup_options *options, const char *method,
                    struct sg_error *error)
{
	static const struct {
		const char *name;
		enum sg_step step;
	} table[] = {
		{"auto", SG_STEP_AUTO},
		{"ntpdate", SG_STEP_NTPDATE},
		{"builtin", SG_STEP_BUILTIN},
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (method == NULL || strcmp(method, table[i].name) == 0) {
			options->step = table[i].step;
			return 0;
		}
	return sg_fail(error, "usage",
	               "--step=%.100s is unknown; use auto, ntpdate or builtin",
	               method);
}

static int set_wait(struct setup_options *options, const char *text,
                    struct sg_error *error)
{
	char *end = NULL;

	errno = 0;
	options->wait = strtol(text, &end, 10);
	if (errno == 0 && end != text && *end == '\0' && options->wait >= 0 &&
	    options->wait <= MAX_WAIT)
		return 0;
	return sg_fail(error, "usage",
	               "--wait \"%.100s\" is not a number of seconds from 0 to %d",
	               text, MAX_WAIT);
}

static int take_option(struct setup_options *options, struct report *report,
                       int option, const char *word, struct sg_error *error)
{
	switch (option) {
	case OPTION_SERVER:
		return add_server(options, optarg, error);
	case OPTION_SERVER_OPTIONS:
		options->server_options = optarg;
		return sg_ntpconf_check_options(optarg, error);
	case OPTION_CONFIG:
		options->config = optarg;
		return 0;
	case OPTION_STEP:
		return set_step(options, optarg, error);
	case OPTION_EXCLUSIVE:
		options->exclusive = true;
		return 0;
	case OPTION_OVERRIDE_DHCP:
		options->override_dhcp = true;
		return 0;
	case OPTION_NO_RESTART:
		options->no_restart = true;
		return 0;
	case OPTION_ROOT:
		options->root = optarg;
		return 0;
	case OPTION_WAIT:
		return set_wait(options, optarg, error);
	case OPTION_NO_PREFLIGHT:
		options->no_preflight = true;
		return 0;
	case OPTION_DRY_RUN:
		options->dry_run = true;
		return 0;
	case OPTION_JSON:
		report->json = true;
		return 0;
	case OPTION_QUIET:
		report->quiet = true;
		return 0;
	case OPTION_VERBOSE:
		report->verbose = true;
		return 0;
	default:
		return sg_fail(
			error, "usage",
			"%.100s is no option of setup, or needs a value, or takes none",
			word);
	}
}

int setup_parse_options(struct setup_options *options, struct report *report,
                        int argc, char **argv, struct sg_error *error)
{
	struct sg_error first = {0};
	int option = 0;

	*options = (struct setup_options){
		.server_options = DEFAULT_OPTIONS,
		.wait = DEFAULT_WAIT,
	};
	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (take_option(options, report, option, argv[optind - 1], error) !=
		        0 &&
		    first.code[0] == '\0')
			first = *error;
	if (first.code[0] != '\0') {
		*error = first;
		return -1;
	}
	if (optind < argc)
		return sg_fail(error, "usage", "\"%.100s\" is not an option of setup",
		               argv[optind]);
	if (options->step != SG_STEP_OFF &&
	    (options->no_restart || options->root != NULL))
		return sg_fail(error, "usage",
		               "--step needs to stop and start ntpd, which %s forbids",
		               options->root != NULL ? "--root" : "--no-restart");
	if (options->root != NULL)
		options->no_restart = options->no_preflight = true;
	return 0;
}
