/* SPDX-License-Identifier: MIT */
/*
 * options: the command line of skewgate, one table for all of its commands.
 */
#ifndef SG_OPTIONS_H
#define SG_OPTIONS_H

#include "lib/daemon/daemon.h"
#include "lib/ntpconf/ntpconf.h"

/* The options of a server's line, where none are named. */
#define DEFAULT_SERVER_OPTIONS "prefer iburst minpoll 4 maxpoll 4"

/* What the words behind a command say. The strings are main's. */
struct options {
	bool json;
	bool quiet;
	bool verbose;
	const char *config;
	const char *root;
	bool no_restart;
	/* setup */
	const char *servers[SG_MAX_SERVERS];
	size_t server_count;
	const char *server_options;
	enum sg_step step;
	bool exclusive;
	bool override_dhcp;
	bool no_preflight;
	bool dry_run;
	long wait; /* seconds */
	/* status */
	bool prometheus;
	bool record;
	sg_usec max_offset;
	/* explain */
	const char *keys;
	const char *user;
	const char *at;
	/* what is no option */
	const char *const *operands;
	size_t operand_count;
};

/* A command. Its bit says which rows of the table are its own. */
struct command {
	const char *name;
	unsigned bit;
	size_t most_operands;
	int (*run)(const struct options *options); /* returns the exit code */
	const char *synopsis;                      /* what follows its name */
	const char *purpose;                       /* one line, for main's help */
	const char *help; /* lines that its own help begins with; or "" */
	const char *exits;
};

enum {
	SETUP = 1,
	REVERT = 2,
	QUERY = 4,
	STATUS = 8,
	EXPLAIN = 16,
	SKEW = 32,
};

/*
 * Reads the words behind the command's name. All are read, also those behind a
 * bad one: --json may be among them. Error: usage.
 */
int options_read(const struct command *command, int argc, char **argv,
                 struct options *options, struct sg_error *error);

/* Prints the command's help on stdout. Returns 0 or -1. */
int options_print_help(const struct command *command);

#endif
