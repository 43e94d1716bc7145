/* SPDX-License-Identifier: MIT */
/* skewgate: picks the command, and reads its options. */
#include "tools.h"

#include <stdio.h>
#include <string.h>

#define SETUP_EXITS                                                            \
	"0 done  1 not root, internal  2 usage  3 config cannot be used\n"         \
	"4 no usable answer  5 ntpd died, rolled back  6 not synchronised\n"       \
	"7 locked  8 step failed  9 no ntpd"

static const struct command commands[] = {
	{
		.name = "setup",
		.bit = SETUP,
		.run = cmd_setup,
		.synopsis = "[OPTION...]",
		.purpose = "point ntpd at 169.254.169.123 and prove that it follows",
		.help = "",
		.exits = SETUP_EXITS,
	},
	{
		.name = "revert",
		.bit = REVERT,
		.run = cmd_revert,
		.synopsis = "[OPTION...]",
		.purpose = "undo what setup did",
		.help = "Removes skewgate's block from ntp.conf, enables the lines\n"
				"that --exclusive disabled, undoes --override-dhcp, and\n"
				"restarts ntpd. What others have edited since is kept.\n",
		.exits = SETUP_EXITS,
	},
	{
		.name = "query",
		.bit = QUERY,
		.most_operands = SG_MAX_ADDRESSES,
		.run = cmd_query,
		.synopsis = "[OPTION...] [SERVER...]",
		.purpose = "ask time servers for offset, delay and quality",
		.help = "Asks each address of each server, 169.254.169.123 when\n"
				"none is named. The offset is server - host: it is positive\n"
				"when this host is behind.\n",
		.exits = "0 one answered usably  2 usage  4 none did",
	},
	{
		.name = "status",
		.bit = STATUS,
		.run = cmd_status,
		.synopsis = "[OPTION...]",
		.purpose = "what this host's clock is worth",
		.help = "Tells the clock, the daemon and its source, the configured\n"
				"sources, the measured offset, and what to fix.\n",
		.exits = "0 healthy, or recorded  1 not  2 usage",
	},
	{
		.name = "explain",
		.bit = EXPLAIN,
		.most_operands = 1,
		.run = cmd_explain,
		.synopsis = "[OPTION...] [FILE|-]",
		.purpose = "what pam_skewgate.so would say of a token, and why",
		.help = "Judges a token, from FILE or standard input, as\n"
				"pam_skewgate.so would.\n",
		.exits = "0 accepted  1 refused  2 usage  3 config or keys unusable",
	},
	{
		.name = "skew",
		.bit = SKEW,
		.most_operands = 1,
		.run = cmd_skew,
		.synopsis = "[OPTION...] [FILE|-]",
		.purpose = "what the log of logins says of issuers' clocks",
		.help = "Reads the log lines of pam_skewgate.so, and tells of each\n"
				"issuer and key whether its clock is ahead. A slow one cannot\n"
				"be told from older tokens. The log is read with\n"
				"  journalctl -o cat _UID=0 -t sshd -t sshd-session\n",
		.exits = "0 done  2 usage, or the log cannot be read",
	},
};

#define COMMANDS (sizeof commands / sizeof *commands)

static void print_help(FILE *file)
{
	fputs("usage: skewgate COMMAND [OPTION...]\n"
	      "\n"
	      "Keeps a host's clock on the Amazon Time Sync Service, and\n"
	      "proves it; judges the tokens that people log in with.\n"
	      "\n",
	      file);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(file, "  %-8s %s\n", commands[i].name, commands[i].purpose);
	fputs("\n"
	      "skewgate COMMAND --help lists its options; skewgate(8) tells\n"
	      "all, with exit codes and what each warning asks for.\n",
	      file);
}

static int finish(int failed)
{
	return failed != 0 || fflush(stdout) != 0 || ferror(stdout) ? EXIT_INTERNAL
	                                                            : EXIT_DONE;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct options options;
	struct sg_error error = {0};

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0)
			return finish(options_print_help(command));
	if (options_read(command, argc, argv, &options, &error) == 0)
		return command->run(&options);
	return report_usage(&options, command->name, &error);
}

int main(int argc, char **argv)
{
	sg_open_descriptors();
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0) {
		print_help(stdout);
		return finish(0);
	}
	if (strcmp(argv[1], "--version") == 0)
		return finish(puts("skewgate " SG_VERSION) == EOF);
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(&commands[i], argc - 1, argv + 1);
	fprintf(stderr, "skewgate: unknown command \"%s\"\n\n", argv[1]);
	print_help(stderr);
	return EXIT_USAGE;
}
