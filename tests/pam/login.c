/* SPDX-License-Identifier: MIT */
/*
 * One login through the real libpam, told line by line: what was asked and
 * answered, what was logged, what each call returned.
 *
 * The log is this program's own: libpam finds its syslog before the C
 * library's. The host may be faked (fakes.c).
 *
 * usage: login [-u USER] [-r RHOST] [-n REPEAT] [-s] [-c] [-e] [-p]
 *              [-a ANSWERFILE]... CONFDIR SERVICE CALL...
 * A CALL is authenticate, setcred (or setcred=FLAGS), acct_mgmt, open_session,
 * close_session, environment, or later=MICROSECONDS, which moves a faked clock.
 * -s: PAM_SILENT. -c: tells what each call has cost: signatures verified, and
 * microseconds since the last answer. -e: an error is in OpenSSL's queue
 * before; tells what is there after. -p: wipes the answers, and stops after
 * pam_end, so that its memory can be looked at.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <locale.h>
#include <openssl/err.h>
#include <security/pam_appl.h>
#include <security/pam_modules.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

/* With some compilers a macro for the checked one. */
#undef syslog

#define MAX_ANSWERS 32
#define MAX_ANSWER ((size_t)256 * 1024)

static const char *const priorities[] = {"EMERG",   "ALERT",  "CRIT", "ERR",
                                         "WARNING", "NOTICE", "INFO", "DEBUG"};

static char *answers[MAX_ANSWERS];
static int answer_count;
static int answered;
static bool quiet;
static long long last_answer; /* by the faked clock */

/* Names of what the module may return. */
static const struct {
	int code;
	const char *name;
} codes[] = {
	{PAM_SUCCESS, "PAM_SUCCESS"},
	{PAM_SERVICE_ERR, "PAM_SERVICE_ERR"},
	{PAM_PERM_DENIED, "PAM_PERM_DENIED"},
	{PAM_AUTH_ERR, "PAM_AUTH_ERR"},
	{PAM_AUTHINFO_UNAVAIL, "PAM_AUTHINFO_UNAVAIL"},
	{PAM_ACCT_EXPIRED, "PAM_ACCT_EXPIRED"},
	{PAM_CRED_EXPIRED, "PAM_CRED_EXPIRED"},
	{PAM_MODULE_UNKNOWN, "PAM_MODULE_UNKNOWN"},
	{PAM_CONV_ERR, "PAM_CONV_ERR"},
	{PAM_SESSION_ERR, "PAM_SESSION_ERR"},
	{PAM_IGNORE, "PAM_IGNORE"},
};

/* ---- what libpam and the module find ------------------------------------ */

void __syslog_chk(int priority, int flag, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Time passes, by the clock of fakes.c. */
static void pass(const char *duration)
{
	void (*fakes_pass)(const char *) = NULL;

	*(void **)(&fakes_pass) = dlsym(RTLD_DEFAULT, "fakes_pass");
	if (fakes_pass != NULL)
		fakes_pass(duration);
}

__attribute__((format(printf, 2, 0))) static void
tell_log(int priority, const char *format, va_list arguments)
{
	pass("FAKE_WORK");
	if (quiet)
		return;
	printf("log %s ", priorities[priority & LOG_PRIMASK]);
	vprintf(format, arguments);
	putchar('\n');
}

EXPORTED void syslog(int priority, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tell_log(priority, format, arguments);
	va_end(arguments);
}

EXPORTED void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list arguments;

	(void)flag;
	va_start(arguments, format);
	tell_log(priority, format, arguments);
	va_end(arguments);
}

/* What pam_systemd is told: an application may not ask for a module's data. */
EXPORTED int pam_set_data(pam_handle_t *pamh, const char *name, void *data,
                          void (*cleanup)(pam_handle_t *pamh, void *data,
                                          int status))
{
	int (*next)(pam_handle_t *, const char *, void *,
	            void (*)(pam_handle_t *, void *, int)) = NULL;

	*(void **)(&next) = dlsym(RTLD_NEXT, "pam_set_data");
	if (strcmp(name, "systemd.runtime_max_sec") == 0 && !quiet)
		printf("limit %s\n", (const char *)data);
	return next(pamh, name, data, cleanup);
}

/* ---- costs ----------------------------------------------------------------
 */

/* What fakes.c has counted; 0 without it. */
static long long ask_fakes(const char *name)
{
	long long (*ask)(void) = NULL;

	*(void **)(&ask) = dlsym(RTLD_DEFAULT, name);
	return ask == NULL ? 0 : ask();
}

static void tell_cost(long long verified)
{
	printf("cost %lld %lld\n", ask_fakes("fakes_verified") - verified,
	       ask_fakes("fakes_elapsed") - last_answer);
}

/* Whether OpenSSL's queue has the one error that it had before. */
static void tell_errors(void)
{
	bool kept = ERR_GET_REASON(ERR_get_error()) == ERR_R_INTERNAL_ERROR &&
	            ERR_peek_error() == 0;

	printf("errors %s\n", kept ? "kept" : "changed");
	ERR_clear_error();
}

/* ---- the application ---------------------------------------------------- */

static int converse(int count, const struct pam_message **messages,
                    struct pam_response **responses, void *data)
{
	static const char *const styles[] = {
		[PAM_PROMPT_ECHO_OFF] = "ask",
		[PAM_PROMPT_ECHO_ON] = "ask-echo",
		[PAM_ERROR_MSG] = "error",
		[PAM_TEXT_INFO] = "info",
	};

	(void)data;
	*responses = calloc((size_t)count, sizeof **responses);
	if (*responses == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < count; i++) {
		int style = messages[i]->msg_style;

		if (!quiet)
			printf("%s %s\n", styles[style], messages[i]->msg);
		if (style != PAM_PROMPT_ECHO_OFF && style != PAM_PROMPT_ECHO_ON)
			continue;
		pass("FAKE_TYPING");
		last_answer = ask_fakes("fakes_elapsed");
		if (answered == answer_count) {
			free(*responses);
			*responses = NULL;
			return PAM_CONV_ERR;
		}
		(*responses)[i].resp = strdup(answers[answered++]);
	}
	return PAM_SUCCESS;
}

static void tell_result(const char *call, int code)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes && !quiet; i++)
		if (codes[i].code == code) {
			printf("%s %s\n", call, codes[i].name);
			return;
		}
	if (!quiet)
		printf("%s %d\n", call, code);
}

/* Moves the faked clocks: the time passes. */
static void move(long long by)
{
	static const char *const clocks[] = {"FAKE_NOW", "FAKE_BOOTTIME"};

	for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
		const char *value = getenv(clocks[i]);
		char text[32];

		if (value == NULL)
			continue;
		snprintf(text, sizeof text, "%lld", strtoll(value, NULL, 10) + by);
		setenv(clocks[i], text, 1);
	}
}

static int call(pam_handle_t *pamh, const char *name, int flags)
{
	static const char later[] = "later=";
	int code = -1;

	if (strncmp(name, later, strlen(later)) == 0) {
		move(strtoll(name + strlen(later), NULL, 10));
		return PAM_SUCCESS;
	}
	if (strcmp(name, "environment") == 0) {
		for (char **entry = pam_getenvlist(pamh); *entry != NULL; entry++)
			printf("environment %s\n", *entry);
		return PAM_SUCCESS;
	}
	if (strcmp(name, "authenticate") == 0)
		code = pam_authenticate(pamh, flags);
	else if (strncmp(name, "setcred=", strlen("setcred=")) == 0)
		code =
			pam_setcred(pamh, (int)strtol(name + strlen("setcred="), NULL, 0));
	else if (strcmp(name, "setcred") == 0)
		code = pam_setcred(pamh, flags | (int)PAM_ESTABLISH_CRED);
	else if (strcmp(name, "acct_mgmt") == 0)
		code = pam_acct_mgmt(pamh, flags);
	else if (strcmp(name, "open_session") == 0)
		code = pam_open_session(pamh, flags);
	else if (strcmp(name, "close_session") == 0)
		code = pam_close_session(pamh, flags);
	tell_result(name, code);
	return code;
}

/* A call, and with `costs` what it costs, with `errors` what it leaves. */
static int call_and_tell(pam_handle_t *pamh, const char *name, int flags,
                         bool costs, bool errors)
{
	long long verified = ask_fakes("fakes_verified");

	last_answer = ask_fakes("fakes_elapsed");
	if (errors)
		ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
	int code = call(pamh, name, flags);
	if (costs)
		tell_cost(verified);
	if (errors)
		tell_errors();
	return code;
}

static char *read_answer(const char *path)
{
	char *text = calloc(1, MAX_ANSWER + 1);
	int file = open(path, O_RDONLY | O_CLOEXEC);

	if (text == NULL || file < 0 || read(file, text, MAX_ANSWER) < 0) {
		perror(path);
		exit(2);
	}
	close(file);
	return text;
}

int main(int argc, char **argv)
{
	const struct pam_conv conversation = {converse, NULL};
	const char *user = "alice";
	const char *host = NULL;
	int repeat = 1;
	int flags = 0;
	int last = 0;
	bool costs = false;
	bool errors = false;
	bool pauses = false;
	int option;

	setlocale(LC_ALL, ""); /* as su and login do */
	while ((option = getopt(argc, argv, "u:r:n:a:scep")) != -1)
		switch (option) {
		case 'u':
			user = optarg;
			break;
		case 'r':
			host = optarg;
			break;
		case 'n':
			repeat = (int)strtol(optarg, NULL, 10);
			break;
		case 'a':
			if (answer_count < MAX_ANSWERS)
				answers[answer_count++] = read_answer(optarg);
			break;
		case 's':
			flags = (int)PAM_SILENT;
			break;
		case 'c':
			costs = true;
			break;
		case 'e':
			errors = true;
			break;
		case 'p':
			pauses = true;
			break;
		default:
			return 2;
		}
	if (argc - optind < 3)
		return 2;
	for (int run = 0; run < repeat; run++) {
		pam_handle_t *pamh = NULL;

		quiet = run > 0; /* the first one tells for all */
		answered = 0;
		if (pam_start_confdir(argv[optind + 1], user, &conversation,
		                      argv[optind], &pamh) != PAM_SUCCESS)
			return 2;
		if (host != NULL)
			pam_set_item(pamh, PAM_RHOST, host);
		last = 0;
		for (int i = optind + 2; i < argc; i++)
			last = call_and_tell(pamh, argv[i], flags, costs, errors);
		for (int i = 0; i < answer_count && pauses; i++)
			explicit_bzero(answers[i], MAX_ANSWER);
		pam_end(pamh, last);
	}
	fflush(stdout);
	if (pauses)
		raise(SIGSTOP);
	for (int i = 0; i < answer_count; i++)
		free(answers[i]);
	return last == PAM_SUCCESS ? 0 : 1;
}
