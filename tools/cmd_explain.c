/* SPDX-License-Identifier: MIT */
/*
 * skewgate explain: what the module would say of a token, and why.
 *
 * It asks the same function with the same options, read in the same way, so
 * that an administrator sees a refusal before anybody is locked out by it.
 */
#include "tools.h"

#include "lib/gate/gate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Its own codes; skewgate(8) lists them. */
enum {
	EXIT_ACCEPTED = 0,
	EXIT_REFUSED = 1,
	EXIT_UNUSABLE = 3,
};

/* Columns of the picture from one end of the window to the other. */
#define PICTURE_WIDTH 60

struct request {
	char *config; /* absolute, as an argument of the module; NULL: default */
	char *keys;
	const struct options *options;
};

/* ---- in words ----------------------------------------------------------- */

/* "3 s ago", "in 2 h 5 min": how a person says a distance. */
static void format_distance(sg_usec distance, char *text, size_t size)
{
	sg_usec magnitude = distance < 0 ? -distance : distance;
	long long seconds = magnitude / SG_SECOND;
	const char *before = distance < 0 ? "" : "in ";
	const char *after = distance < 0 ? " ago" : "";

	if (seconds < 600)
		snprintf(text, size, "%s%.3f s%s", before, (double)magnitude / 1e6,
		         after);
	else if (seconds < 86400)
		snprintf(text, size, "%s%lld h %lld min%s", before, seconds / 3600,
		         seconds / 60 % 60, after);
	else
		snprintf(text, size, "%s%lld days%s", before, seconds / 86400, after);
}

static const struct sg_time_claim *time_claim(const struct sg_claims *claims,
                                              const char *name)
{
	const struct sg_time_claim *claim = NULL;

	if (strcmp(name, "exp") == 0)
		claim = &claims->expires;
	else if (strcmp(name, "nbf") == 0)
		claim = &claims->not_before;
	else if (strcmp(name, "iat") == 0)
		claim = &claims->issued;
	return claim != NULL && claim->present ? claim : NULL;
}

/* A value in JSON's own escapes. A token may come from anybody, and a terminal
 * may take U+009B, which is UTF-8 like any other, for the start of a control
 * sequence: none but printable ASCII gets out. Returns 0 or -1. */
static int print_json_ascii(const json_t *value, size_t flags)
{
	sg_auto_free char *text = json_dumps(
		value, flags | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(DIGITS_OF_TIME));

	for (const char *next = text; next != NULL && *next != '\0'; next++)
		printf(*next == 127 ? "\\u%04x" : "%c", *next);
	return text != NULL ? 0 : -1;
}

static void print_value(const json_t *value)
{
	(void)print_json_ascii(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

static void print_claims(const struct sg_verdict *verdict)
{
	const struct sg_claims *claims = &verdict->claims;
	char distance[64];
	char time[SG_TIME_SIZE];
	const char *name;
	json_t *value;

	if (!json_is_object(claims->json))
		return;
	printf("\n  claims%s\n", verdict->verified
	                             ? ""
	                             : " (NOT VERIFIED: anybody may have written "
	                               "them)");
	json_object_foreach (claims->json, name, value) {
		const struct sg_time_claim *claim = time_claim(claims, name);
		char quoted[SG_QUOTED_SIZE];

		sg_quote(name, quoted);
		printf("    %-8.*s ", (int)strlen(quoted) - 2, quoted + 1);
		print_value(value);
		if (claim != NULL) {
			sg_time_format(claim->time, time);
			format_distance(claim->time - verdict->now, distance,
			                sizeof distance);
			printf("  %s, %s", time, distance);
		}
		putchar('\n');
	}
}

/* ---- the picture -------------------------------------------------------- */

/* The columns of the picture: before the window, its ends, and after it. */
enum {
	BEFORE = 0,
	BEGIN = 2,
	END = BEGIN + PICTURE_WIDTH,
	AFTER = END + 2,
	COLUMNS,
};

/* The time that it begins with; false when the token names none. */
static bool picture_begin(const struct sg_claims *claims, sg_usec *begin,
                          const char **name)
{
	sg_usec nbf = claims->not_before.time;
	sg_usec iat = claims->issued.time;

	if (claims->not_before.present && claims->issued.present && nbf == iat) {
		*name = "nbf/iat";
		*begin = nbf;
	} else if (claims->not_before.present &&
	           (!claims->issued.present || nbf > iat)) {
		*name = "nbf";
		*begin = nbf;
	} else {
		*name = "iat";
		*begin = iat;
	}
	return claims->not_before.present || claims->issued.present;
}

static int picture_column(sg_usec begin, sg_usec end, sg_usec now)
{
	if (now < begin)
		return BEFORE;
	if (now >= end)
		return AFTER;
	return BEGIN + 1 +
	       (int)((double)(now - begin) / (double)(end - begin) *
	             (PICTURE_WIDTH - 1));
}

/* "now", and how precisely that is known. Returns its columns. */
static int format_now(const struct sg_clock *clock, char *text, size_t size)
{
	if (!clock->bounded)
		return snprintf(text, size, "now");
	if (clock->bound < SG_SECOND)
		snprintf(text, size, "now ±%.1f ms", (double)clock->bound / 1e3);
	else
		snprintf(text, size, "now ±%.1f s", (double)clock->bound / 1e6);
	return (int)strlen(text) - 1; /* the sign has two bytes */
}

/* The names above the picture: the ends over their marks, now where there is
 * room for it. */
static void print_labels(const struct sg_clock *clock, const char *begin,
                         const char *end, int column)
{
	char now[32];
	int width = format_now(clock, now, sizeof now);
	int first = BEGIN + (int)strlen(begin) + 1;
	int last = END - (int)strlen(end) - width;
	int from = column - width / 2;

	from = from < first ? first : from > last ? last : from;
	printf("\n  %*s%s%*s%s%*s\n", BEGIN, "", begin,
	       from - BEGIN - (int)strlen(begin), "", now, END + 1 - from - width,
	       end);
}

/* Where now lies between the token's begin and end. */
static void print_picture(const struct sg_verdict *verdict)
{
	const char *begin_name = NULL;
	const char *end_name = NULL;
	sg_usec begin = 0;
	sg_usec end = sg_verdict_end(verdict, &end_name);
	char left[SG_TIME_SIZE];

	if (!verdict->judged_time ||
	    !picture_begin(&verdict->claims, &begin, &begin_name) || begin >= end)
		return;
	int column = picture_column(begin, end, verdict->now);
	sg_time_format_seconds(end - verdict->now, left);
	print_labels(&verdict->clock, begin_name, end_name, column);
	fputs("  ", stdout);
	for (int i = 0; i < COLUMNS; i++) {
		if (i == column)
			fputs("●", stdout);
		else if (i == BEGIN)
			fputs("├", stdout);
		else if (i == END)
			fputs("┤", stdout);
		else
			fputs(i > BEGIN && i < END ? "─" : " ", stdout);
	}
	if (verdict->reason != SG_ACCEPTED)
		printf("  refused\n");
	else if (verdict->leeway_used)
		printf("  accepted, by the leeway alone\n");
	else
		printf("  accepted, %s s left\n", left);
}

/* What the clock is worth, and whose fault a refusal is. */
static void print_clock(const struct sg_verdict *verdict)
{
	static const char *const blames[] = {
		[SG_CULPRIT_UNKNOWN] = "Whose clock is wrong cannot be told; see "
							   "\"skewgate status\".",
		[SG_CULPRIT_NONE] = "No clock is at fault: the token is simply old, or "
							"its issuer's clock is slow, which looks the same.",
		[SG_CULPRIT_ISSUER] = "The issuer's clock is at fault: this host's own "
							  "is right.",
		[SG_CULPRIT_HOST] = "This host's own clock is at fault: by the right "
							"time the token is good.",
	};
	const struct sg_clock *clock = &verdict->clock;

	if (verdict->reason == SG_UNAVAILABLE)
		return;
	if (verdict->culprit != SG_CULPRIT_NOT_ASKED)
		printf("%s\n", blames[verdict->culprit]);
	printf("\n  clock    %s", sg_clock_state_name(clock->state));
	if (clock->measured)
		printf(", off by %+.6f s", (double)clock->offset / 1e6);
	if (clock->bounded)
		printf(", within %.6f s", (double)clock->bound / 1e6);
	if (clock->daemon_gone)
		printf("; ntpd did not run when that was measured");
	if (!clock->measured)
		printf("; by the kernel alone: %s [%s]", clock->record.text,
		       clock->record.code);
	putchar('\n');
}

static void print_verdict(const struct sg_verdict *verdict, const char *user)
{
	char time[SG_TIME_SIZE];
	const json_t *header = verdict->jws.header;

	if (verdict->reason == SG_ACCEPTED)
		printf("ACCEPTED: %s%s\n", verdict->error.text,
		       verdict->leeway_used ? "; only the leeway lets it in, so a "
		                              "clock is off"
		                            : "");
	else
		printf("REFUSED (%s): %s\n", sg_reason_name(verdict->reason),
		       verdict->error.text);
	if (user == NULL && verdict->reason != SG_ACCEPTED &&
	    verdict->reason != SG_UNAVAILABLE)
		printf("The user was not checked: give --user.\n");
	print_clock(verdict);
	sg_time_format(verdict->now, time);
	printf("  now      %s\n", time);
	if (json_is_object(header)) {
		printf("  header   ");
		print_value(header);
		putchar('\n');
	}
	print_claims(verdict);
	print_picture(verdict);
}

static int print_verdict_json(const struct sg_verdict *verdict)
{
	json_auto_t *json = sg_verdict_json(verdict);

	return json != NULL && print_json_ascii(json, JSON_INDENT(2)) == 0 &&
	               putchar('\n') != EOF
	           ? 0
	           : -1;
}

/* ---- the command -------------------------------------------------------- */

static int fail(const struct sg_error *error, int code)
{
	fprintf(stderr, "skewgate: %s [%s]\n", error->text, error->code);
	return code;
}

/* Makes an option that names a file an argument of the module, which takes
 * whole paths only; NULL for one that is not given. Error: internal. */
static int path_argument(const char *name, const char *path, char **argument,
                         struct sg_error *error)
{
	*argument = NULL;
	if (path == NULL)
		return 0;
	sg_auto_free char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
	if (path[0] != '/' && here == NULL)
		return sg_fail(error, "internal",
		               "--%s %.200s: the current directory cannot be found: "
		               "%s; give the whole path",
		               name, path, strerror(errno));
	if (asprintf(argument, "%s=%s%s%s", name, here != NULL ? here : "",
	             here != NULL ? "/" : "", path) >= 0)
		return 0;
	*argument = NULL;
	return sg_fail_memory(error);
}

/* Reads a token into `buffer`: one byte more than a token has and the end of
 * its line, so that a longer one is refused for its length. */
static int read_token(const char *path, char *buffer, size_t room, size_t *size,
                      struct sg_error *error)
{
	bool is_stdin = path == NULL || strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");

	*size = file != NULL ? fread(buffer, 1, room, file) : 0;
	bool failed = file == NULL || ferror(file);
	if (file != NULL && !is_stdin)
		fclose(file);
	if (failed)
		return sg_fail(error, "token-unreadable",
		               "the token cannot be read from %s: %s; name a file, or "
		               "pipe it in",
		               is_stdin ? "standard input" : path, strerror(errno));
	if (*size > 0 && buffer[*size - 1] == '\n') {
		(*size)--;
		if (*size > 0 && buffer[*size - 1] == '\r')
			(*size)--;
	}
	return 0;
}

/* Judges as the module would. */
static void judge(const struct request *request, const struct sg_login *login,
                  struct sg_verdict *verdict)
{
	struct sg_options options = {0};
	struct sg_error error = {0};
	struct sg_jwks *keys = NULL;
	const char *arguments[2];
	int count = 0;

	if (request->config != NULL)
		arguments[count++] = request->config;
	if (request->keys != NULL)
		arguments[count++] = request->keys;
	if (sg_options_read(count, arguments, &options, &error) != 0 ||
	    sg_options_read_keys(&options, &keys, &error) != 0) {
		sg_gate_unavailable(&error, login->now, verdict);
	} else {
		if (sg_jwks_has_private_key(keys))
			fprintf(stderr,
			        "skewgate: warning: %s holds a private key, with which "
			        "anybody who reads it can issue tokens; leave the public "
			        "part only [private-key]\n",
			        options.keys);
		sg_gate_judge(&options.policy, keys, login, verdict);
		sg_verdict_reveal(verdict, login);
	}
	sg_jwks_free(keys);
	sg_options_free(&options);
}

static int explain(const struct request *request)
{
	const struct options *options = request->options;
	const char *file = options->operand_count > 0 ? options->operands[0] : NULL;
	struct sg_error error = {0};
	char token[SG_MAX_TOKEN + 3];
	struct sg_login login = {
		.token = token,
		.user = options->user,
		.store = SG_STORE,
	};
	struct sg_verdict verdict;
	int code = EXIT_REFUSED;
	int failed = 0;

	if (options->at != NULL &&
	    sg_time_parse(options->at, &login.now, &error) != 0)
		return fail(&error, EXIT_USAGE);
	if (read_token(file, token, sizeof token, &login.size, &error) != 0)
		return fail(&error, EXIT_USAGE);
	sg_clock_judge(SG_CLOCK_RECORD, &login.clock);
	if (options->at == NULL)
		login.now = sg_time_now();
	judge(request, &login, &verdict);
	explicit_bzero(token, sizeof token);

	if (options->json)
		failed = print_verdict_json(&verdict);
	else
		print_verdict(&verdict, options->user);
	if (failed != 0 || fflush(stdout) != 0)
		fputs("skewgate: the verdict could not be written\n", stderr);
	if (verdict.reason == SG_ACCEPTED)
		code = EXIT_ACCEPTED;
	else if (verdict.reason == SG_UNAVAILABLE)
		code = EXIT_UNUSABLE;
	sg_verdict_free(&verdict);
	return code;
}

int cmd_explain(const struct options *options)
{
	struct request request = {.options = options};
	struct sg_error error = {0};
	int code = EXIT_UNUSABLE;

	/* Without them it would judge by others than those that were named. */
	if (path_argument("config", options->config, &request.config, &error) !=
	        0 ||
	    path_argument("keys", options->keys, &request.keys, &error) != 0)
		fail(&error, code);
	else
		code = explain(&request);
	free(request.config);
	free(request.keys);
	return code;
}
