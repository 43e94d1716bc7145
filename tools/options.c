/* SPDX-License-Identifier: MIT */
/*
 * The options of every command: what they are called, what they take, what they
 * set, what help says of them.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_WAIT 60
#define DEFAULT_MAX_OFFSET SG_SECOND

/* A day: longer than any boot should wait. */
#define MAX_WAIT 86400

#define MAX_NAME 253 /* RFC 1035 section 2.3.4 */

/* getopt's value for the first row; those below are letters, which it gives for
 * unknown ones. */
#define FIRST_VALUE 256

/* Columns for the name of an option; the help of a longer one begins later. */
#define NAME_WIDTH 20

/* A row of the table: an option of some commands. */
struct row {
	const char *name;
	const char *argument; /* what help calls it; NULL: it takes none */
	int argument_kind;    /* getopt's */
	unsigned commands;    /* the bits of those that have it */
	int (*set)(const struct row *row, const char *value,
	           struct options *options, struct sg_error *error);
	size_t place; /* in struct options, for set_flag and set_string */
	const char *help;
};

/* ---- setters ------------------------------------------------------------ */

static int set_flag(const struct row *row, const char *value,
                    struct options *options, struct sg_error *error)
{
	(void)value;
	(void)error;
	*(bool *)((char *)options + row->place) = true;
	return 0;
}

static int set_string(const struct row *row, const char *value,
                      struct options *options, struct sg_error *error)
{
	(void)error;
	*(const char **)((char *)options + row->place) = value;
	return 0;
}

/* Addresses and host names; nothing that could be another line or option. */
static bool is_server_name(const char *name)
{
	return name[0] != '\0' && name[0] != '-' && strlen(name) <= MAX_NAME &&
	       name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
	                         "xyz0123456789.:-")] == '\0';
}

static int add_server(const struct row *row, const char *name,
                      struct options *options, struct sg_error *error)
{
	(void)row;
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

static int set_step(const struct row *row, const char *method,
                    struct options *options, struct sg_error *error)
{
	static const struct {
		const char *name;
		enum sg_step step;
	} methods[] = {
		{"auto", SG_STEP_AUTO},
		{"ntpdate", SG_STEP_NTPDATE},
		{"builtin", SG_STEP_BUILTIN},
	};

	(void)row;
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (method == NULL || strcmp(method, methods[i].name) == 0) {
			options->step = methods[i].step;
			return 0;
		}
	return sg_fail(error, "usage",
	               "--step=%.100s is unknown; use auto, ntpdate or builtin",
	               method);
}

static int set_wait(const struct row *row, const char *text,
                    struct options *options, struct sg_error *error)
{
	char *end = NULL;

	(void)row;
	errno = 0;
	options->wait = strtol(text, &end, 10);
	if (errno == 0 && end != text && *end == '\0' && options->wait >= 0 &&
	    options->wait <= MAX_WAIT)
		return 0;
	return sg_fail(error, "usage",
	               "--wait \"%.100s\" is not a number of seconds from 0 to %d",
	               text, MAX_WAIT);
}

static int set_server_options(const struct row *row, const char *words,
                              struct options *options, struct sg_error *error)
{
	(void)row;
	options->server_options = words;
	return sg_ntpconf_check_options(words, error);
}

static int set_max_offset(const struct row *row, const char *text,
                          struct options *options, struct sg_error *error)
{
	(void)row;
	if (sg_time_parse_seconds(text, &options->max_offset))
		return 0;
	return sg_fail(error, "usage",
	               "--max-offset \"%.100s\" is not a number of seconds", text);
}

/* Of two formats the last one counts. */
static int set_json(const struct row *row, const char *value,
                    struct options *options, struct sg_error *error)
{
	options->prometheus = false;
	return set_flag(row, value, options, error);
}

static int set_prometheus(const struct row *row, const char *value,
                          struct options *options, struct sg_error *error)
{
	options->json = false;
	return set_flag(row, value, options, error);
}

/* ---- the table ---------------------------------------------------------- */

#define NO_ARGUMENT NULL, no_argument
#define FLAG(field) set_flag, offsetof(struct options, field)
#define STRING(field) set_string, offsetof(struct options, field)

static const struct row table[] = {
	{"server", "ADDR", required_argument, SETUP, add_server, 0,
     "time server, repeatable (169.254.169.123)"},
	{"server-options", "STR", required_argument, SETUP, set_server_options, 0,
     "options of its line (" DEFAULT_SERVER_OPTIONS ")"},
	{"config", "FILE", required_argument, SETUP | REVERT, STRING(config),
     "the ntp.conf to edit (the one that ntpd reads)"},
	{"step", "auto|ntpdate|builtin", optional_argument, SETUP, set_step, 0,
     "stop ntpd, set the clock now, start ntpd"},
	{"exclusive", NO_ARGUMENT, SETUP, FLAG(exclusive),
     "disable every other source, and leapfile"},
	{"override-dhcp", NO_ARGUMENT, SETUP, FLAG(override_dhcp),
     "make ntpsec ignore DHCP-supplied servers, for good"},
	{"no-restart", NO_ARGUMENT, SETUP | REVERT, FLAG(no_restart), "edit only"},
	{"root", "DIR", required_argument, SETUP | REVERT, STRING(root),
     "edit the tree of an image; no restart, no preflight"},
	{"wait", "SECONDS", required_argument, SETUP, set_wait, 0,
     "how long to wait for synchronisation (60), 0: don't"},
	{"no-preflight", NO_ARGUMENT, SETUP, FLAG(no_preflight),
     "do not ask the server first"},
	{"dry-run", NO_ARGUMENT, SETUP, FLAG(dry_run),
     "print the diff and the steps; change nothing"},
	{"record", NO_ARGUMENT, STATUS, FLAG(record),
     "leave the measurement for pam_skewgate.so to find"},
	{"max-offset", "SECONDS", required_argument, STATUS, set_max_offset, 0,
     "what a healthy clock may be off (1)"},
	{"config", "FILE", required_argument, EXPLAIN, STRING(config),
     "its options (" SG_CONFIG_DIR "/skewgate.conf)"},
	{"keys", "FILE", required_argument, EXPLAIN, STRING(keys),
     "the issuer's keys, instead of those of the config"},
	{"user", "USER", required_argument, EXPLAIN, STRING(user),
     "who logs in; without it the user is not checked"},
	{"at", "TIME", required_argument, EXPLAIN, STRING(at),
     "judge as of then: seconds since the epoch, or RFC 3339"},
	{"json", NO_ARGUMENT, SETUP | REVERT | QUERY | STATUS | EXPLAIN | SKEW,
     set_json, offsetof(struct options, json), "one JSON object on stdout"},
	{"prometheus", NO_ARGUMENT, STATUS, set_prometheus,
     offsetof(struct options, prometheus),
     "metrics, for node_exporter's textfile collector"},
	{"quiet", NO_ARGUMENT, SETUP | REVERT, FLAG(quiet), "errors only"},
	{"verbose", NO_ARGUMENT, SETUP | REVERT, FLAG(verbose), "every step"},
};

#define ROWS (sizeof table / sizeof *table)

/* ---- reading ------------------------------------------------------------ */

/* getopt's table of the command's rows; a value is FIRST_VALUE and the row. */
static void list_options(const struct command *command,
                         struct option listed[ROWS + 1])
{
	size_t count = 0;

	for (size_t i = 0; i < ROWS; i++)
		if ((table[i].commands & command->bit) != 0)
			listed[count++] = (struct option){
				.name = table[i].name,
				.has_arg = table[i].argument_kind,
				.val = FIRST_VALUE + (int)i,
			};
	listed[count] = (struct option){0};
}

/* What is wrong with the word that getopt has come to. */
static int refuse(int found, const char *word, struct sg_error *error)
{
	if (found == ':')
		return sg_fail(error, "usage", "--%s needs a value",
		               table[optopt - FIRST_VALUE].name);
	if (optopt >= FIRST_VALUE)
		return sg_fail(error, "usage", "--%s takes no value",
		               table[optopt - FIRST_VALUE].name);
	if (optopt != 0)
		return sg_fail(error, "usage", "unknown option -%c", optopt);
	return sg_fail(error, "usage", "unknown option %.*s",
	               (int)strcspn(word, "="), word);
}

static int check_operands(const struct command *command,
                          const struct options *options, struct sg_error *error)
{
	if (options->operand_count <= command->most_operands)
		return 0;
	return sg_fail(error, "usage", "unexpected argument \"%.100s\"",
	               options->operands[command->most_operands]);
}

/* What does not go together. */
static int check_together(const struct options *options, struct sg_error *error)
{
	if (options->step != SG_STEP_OFF &&
	    (options->no_restart || options->root != NULL))
		return sg_fail(error, "usage",
		               "--step needs to stop and start ntpd, which %s forbids",
		               options->root != NULL ? "--root" : "--no-restart");
	return 0;
}

int options_read(const struct command *command, int argc, char **argv,
                 struct options *options, struct sg_error *error)
{
	struct option listed[ROWS + 1];
	struct sg_error first = {0};
	int found = 0;

	*options = (struct options){
		.server_options = DEFAULT_SERVER_OPTIONS,
		.wait = DEFAULT_WAIT,
		.max_offset = DEFAULT_MAX_OFFSET,
	};
	list_options(command, listed);
	optind = 1;
	/* ":" tells a value that is missing from an option that is unknown. */
	while ((found = getopt_long(argc, argv, ":", listed, NULL)) != -1) {
		const struct row *row =
			found >= FIRST_VALUE ? &table[found - FIRST_VALUE] : NULL;
		int failed = row != NULL ? row->set(row, optarg, options, error)
		                         : refuse(found, argv[optind - 1], error);

		if (failed != 0 && first.code[0] == '\0')
			first = *error;
	}
	options->operands = (const char *const *)argv + optind;
	options->operand_count = (size_t)(argc - optind);
	if (first.code[0] != '\0') {
		*error = first;
		return -1;
	}
	if (check_operands(command, options, error) != 0 ||
	    check_together(options, error) != 0)
		return -1;
	if (options->root != NULL)
		options->no_restart = options->no_preflight = true;
	return 0;
}

/* ---- help --------------------------------------------------------------- */

int options_print_help(const struct command *command)
{
	printf("usage: skewgate %s %s\n\n%s%s", command->name, command->synopsis,
	       command->help, command->help[0] != '\0' ? "\n" : "");
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &table[i];
		bool optional = row->argument_kind == optional_argument;
		char term[64];

		if ((row->commands & command->bit) == 0)
			continue;
		snprintf(term, sizeof term, "--%s%s%s%s", row->name,
		         row->argument == NULL ? ""
		         : optional            ? "[="
		                               : " ",
		         row->argument == NULL ? "" : row->argument,
		         optional ? "]" : "");
		printf("  %-*s  %s\n", NAME_WIDTH, term, row->help);
	}
	printf("\nExit: %s\n", command->exits);
	return fflush(stdout) != 0 || ferror(stdout) ? -1 : 0;
}
