/* skewgate: picks the command, and gives help that fits a screen. */
#include "tools.h"

#include <stdio.h>
#include <string.h>

static const char main_help[] =
	"usage: skewgate COMMAND [OPTION...]\n"
	"\n"
	"Keeps a host's clock on the Amazon Time Sync Service, and proves it; "
	"judges\n"
	"the tokens that people log in with.\n"
	"\n"
	"  setup              point ntpd at 169.254.169.123 and prove that it "
	"follows\n"
	"  revert             undo what setup did\n"
	"  query [SERVER...]  ask time servers for offset, delay and quality\n"
	"  status             what this host's clock is worth\n"
	"  explain [FILE]     what pam_skewgate.so would say of a token, and "
	"why\n"
	"  skew [FILE]        what the log of logins says of issuers' clocks\n"
	"\n"
	"skewgate COMMAND --help lists its options; skewgate(8) tells all, with "
	"exit\n"
	"codes and what each warning asks for.\n";

static const char setup_help[] =
	"usage: skewgate setup [OPTION...]\n"
	"\n"
	"  --server ADDR         time server, repeatable (169.254.169.123)\n"
	"  --server-options STR  options of its line (prefer iburst minpoll 4 "
	"maxpoll "
	"4)\n"
	"  --config FILE         the ntp.conf to edit (the one that ntpd reads)\n"
	"  --step[=auto|ntpdate|builtin]  stop ntpd, set the clock now, start "
	"ntpd\n"
	"  --exclusive           disable every other source, and leapfile\n"
	"  --override-dhcp       make ntpsec ignore DHCP-supplied servers, for "
	"good\n"
	"  --no-restart          edit only\n"
	"  --root DIR            edit the tree of an image; no restart, no "
	"preflight\n"
	"  --wait SECONDS        how long to wait for synchronisation (60), 0: "
	"don't\n"
	"  --no-preflight        do not ask the server first\n"
	"  --dry-run             print the diff and the steps; change nothing\n"
	"  --json                one JSON object on stdout\n"
	"  --quiet, --verbose    errors only; every step\n"
	"\n"
	"Exit: 0 done  1 not root, internal  2 usage  3 config cannot be used\n"
	"4 no usable answer  5 ntpd died, rolled back  6 not synchronised\n"
	"7 locked  8 step failed  9 no ntpd\n";

static const char revert_help[] =
	"usage: skewgate revert [--config FILE] [--root DIR] [--no-restart] "
	"[--json]\n"
	"                       [--quiet] [--verbose]\n"
	"\n"
	"Removes skewgate's block from ntp.conf, enables the lines again that\n"
	"--exclusive disabled and what --override-dhcp changed, and restarts "
	"ntpd.\n"
	"Edits that others made since are kept. Exit codes as for setup.\n";

static const char query_help[] =
	"usage: skewgate query [--json] [SERVER...]\n"
	"\n"
	"Asks each address of each server (169.254.169.123 when none is named).\n"
	"offset = server - host: positive when this host is behind.\n"
	"Exit: 0 one answered usably  4 none did\n";

static const char status_help[] =
	"usage: skewgate status [OPTION...]\n"
	"\n"
	"Tells the clock, the daemon and its source, the configured sources, the "
	"measured\n"
	"offset, and what to mend.\n"
	"\n"
	"  --json                one JSON object on stdout\n"
	"  --prometheus          metrics, for node_exporter's textfile collector\n"
	"  --record              leave the measurement in " SG_CLOCK_RECORD ",\n"
	"                        where pam_skewgate.so finds it\n"
	"  --max-offset SECONDS  what a healthy clock may be off (1)\n"
	"\n"
	"Exit: 0 healthy, or recorded  1 not  2 usage\n";

static const char skew_help[] =
	"usage: skewgate skew [--json] [FILE|-]\n"
	"       journalctl -o cat _UID=0 -t sshd -t sshd-session | skewgate skew\n"
	"\n"
	"Reads the log lines of pam_skewgate.so, and tells of each issuer and key "
	"whether\n"
	"its clock is ahead. A slow one cannot be told from older tokens.\n"
	"\n"
	"Exit: 0 done  2 usage, or the log cannot be read\n";

static const char explain_help[] =
	"usage: skewgate explain [OPTION...] [FILE|-]\n"
	"\n"
	"Judges a token, from FILE or standard input, as pam_skewgate.so would.\n"
	"\n"
	"  --config FILE  its options (" SG_CONFIG_DIR "/skewgate.conf)\n"
	"  --keys FILE    the issuer's keys, instead of those of the config\n"
	"  --user USER    who logs in; without it the user is not checked\n"
	"  --at TIME      judge as of then: seconds since the epoch, or RFC 3339\n"
	"  --json         one JSON object on stdout\n"
	"\n"
	"Exit: 0 accepted  1 refused  2 usage  3 config or keys unusable\n";

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"setup", cmd_setup, setup_help},       {"revert", cmd_revert, revert_help},
	{"query", cmd_query, query_help},       {"status", cmd_status, status_help},
	{"explain", cmd_explain, explain_help}, {"skew", cmd_skew, skew_help},
};

static int print(const char *text)
{
	return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? EXIT_INTERNAL
	                                                      : EXIT_DONE;
}

int main(int argc, char **argv)
{
	sg_open_descriptors();
	if (argc < 2) {
		fputs(main_help, stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0)
		return print(main_help);
	if (strcmp(argv[1], "--version") == 0)
		return print("skewgate " SG_VERSION "\n");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		for (int k = 2; k < argc; k++)
			if (strcmp(argv[k], "--help") == 0)
				return print(commands[i].help);
		return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "skewgate: there is no command \"%s\"\n\n%s", argv[1],
	        main_help);
	return EXIT_USAGE;
}
