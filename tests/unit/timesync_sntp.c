/*
 * SNTP against a server on loopback that follows a script: what it gets wrong
 * is named, and its time is taken only when it is right.
 */
#include "check.h"

#include "lib/timesync/timesync.h"

#include <arpa/inet.h>
#include <endian.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EPOCH 2208988800U

/* How the server errs. */
struct script {
	const char *name;
	const char *error; /* the code; NULL: its time is taken */
	sg_usec offset;    /* of its clock to ours */
	int leap;
	int stratum;
	int mode;
	size_t size;
	const char *kiss;
	uint32_t dispersion; /* 16.16 seconds */
	bool wrong_origin;
	bool wrong_first; /* a forged reply, then the true one */
	bool other_port;
	bool silent;
	bool zero_times;
	bool backwards;
	sg_usec every_other; /* delays every other reply */
	bool ipv6;
};

#define GOOD .stratum = 3, .mode = 4, .size = 48

/* Our clock cannot be set to 2036, but the server's can: from here it is less
 * than 68 years off. */
#define TO_2040 ((sg_usec)14 * 365 * 86400 * SG_SECOND)

static const struct script scripts[] = {
	{.name = "right", GOOD},
	{.name = "right, IPv6", GOOD, .ipv6 = true},
	{.name = "10 s ahead", GOOD, .offset = 10 * SG_SECOND},
	{.name = "10 s behind", GOOD, .offset = -10 * SG_SECOND},
	{.name = "a year ahead", GOOD, .offset = (sg_usec)31536000 * SG_SECOND},
	{.name = "in the era after 2036", GOOD, .offset = TO_2040},
	{.name = "a leap second is near", GOOD, .leap = 1},
	{.name = "slow every other time", GOOD, .every_other = SG_SECOND / 5},
	{.name = "a forged reply before the true one", GOOD, .wrong_first = true},
	{.name = "not synchronised", GOOD, .leap = 3, .error = "not-synchronised"},
	{.name = "stratum 16",
     .stratum = 16,
     .mode = 4,
     .size = 48,
     .error = "not-synchronised"},
	{.name = "RATE",
     .stratum = 0,
     .mode = 4,
     .size = 48,
     .kiss = "RATE",
     .error = "kiss-of-death"},
	{.name = "DENY",
     .stratum = 0,
     .mode = 4,
     .size = 48,
     .kiss = "DENY",
     .error = "kiss-of-death"},
	{.name = "a kiss code that would spoil a log",
     .stratum = 0,
     .mode = 4,
     .size = 48,
     .kiss = "\n\x1b[m",
     .error = "kiss-of-death"},
	{.name = "wrong origin", GOOD, .wrong_origin = true, .error = "bad-reply"},
	{.name = "short",
     .stratum = 3,
     .mode = 4,
     .size = 47,
     .error = "bad-reply"},
	{.name = "empty", .stratum = 3, .mode = 4, .error = "bad-reply"},
	{.name = "a client's packet",
     .stratum = 3,
     .mode = 3,
     .size = 48,
     .error = "bad-reply"},
	{.name = "no times", GOOD, .zero_times = true, .error = "bad-reply"},
	{.name = "sent before it was received",
     GOOD,
     .backwards = true,
     .error = "bad-reply"},
	{.name = "too distant",
     GOOD,
     .dispersion = 2 << 16,
     .error = "too-distant"},
	{.name = "from another port",
     GOOD,
     .other_port = true,
     .error = "no-answer"},
	{.name = "silence", GOOD, .silent = true, .error = "no-answer"},
};

static uint64_t ntp_time(sg_usec time)
{
	return htobe64((uint64_t)(time / SG_SECOND + EPOCH) << 32 |
	               ((uint64_t)(time % SG_SECOND) << 32) / 1000000);
}

static void fill(const struct script *script, const unsigned char *request,
                 unsigned char *reply)
{
	sg_usec time = sg_time_now() + script->offset;
	uint64_t received = ntp_time(time);
	uint64_t sent = ntp_time(time - (script->backwards ? SG_SECOND : 0));
	uint32_t dispersion = htobe32(script->dispersion);

	memset(reply, 0, 48);
	reply[0] = (unsigned char)(script->leap << 6 | 4 << 3 | script->mode);
	reply[1] = (unsigned char)script->stratum;
	memcpy(reply + 8, &dispersion, 4);
	if (script->kiss != NULL)
		memcpy(reply + 12, script->kiss, 4);
	memcpy(reply + 24, request + 40, 8);
	if (script->zero_times)
		return;
	memcpy(reply + 32, &received, 8);
	memcpy(reply + 40, &sent, 8);
}

/* The server's process: serves until it is killed. */
static void serve(int server, const struct script *script)
{
	int other = socket(script->ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);

	for (unsigned count = 0;; count++) {
		unsigned char request[64];
		unsigned char reply[48];
		struct sockaddr_storage from;
		socklen_t length = sizeof from;

		if (recvfrom(server, request, sizeof request, 0,
		             (struct sockaddr *)&from, &length) < 48 ||
		    script->silent)
			continue;
		if (script->every_other > 0 && count % 2 == 0)
			sg_time_sleep(script->every_other);
		fill(script, request, reply);
		if (script->wrong_origin)
			reply[24] ^= 1;
		if (script->wrong_first) {
			unsigned char forged[48];

			memcpy(forged, reply, sizeof forged);
			forged[31] ^= 1;
			sendto(server, forged, sizeof forged, 0, (struct sockaddr *)&from,
			       length);
		}
		sendto(script->other_port ? other : server, reply, script->size, 0,
		       (struct sockaddr *)&from, length);
	}
}

static pid_t start(const struct script *script, uint16_t *port)
{
	struct sockaddr_in four = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr_in6 six = {
		.sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	struct sockaddr *address =
		script->ipv6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t length = script->ipv6 ? sizeof six : sizeof four;
	int server = socket(address->sa_family, SOCK_DGRAM, 0);

	assert_true(server >= 0);
	assert_int_equal(bind(server, address, length), 0);
	assert_int_equal(getsockname(server, address, &length), 0);
	*port = ntohs(script->ipv6 ? six.sin6_port : four.sin_port);
	pid_t child = fork();
	if (child == 0)
		serve(server, script);
	close(server);
	return child;
}

static void stop(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void test_scripts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		const struct script *script = &scripts[i];
		struct sg_sntp_options options = sg_sntp_defaults;
		struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
		const char *address = script->ipv6 ? "::1" : "127.0.0.1";

		options.limit = 2 * SG_SECOND;
		pid_t child = start(script, &options.port);
		size_t count = sg_sntp_query(&address, 1, &options, answers);
		stop(child);
		assert_int_equal(count, 1);
		assert_string_equal(answers[0].address, address);
		if (script->error != NULL) {
			if (answers[0].usable)
				fail_msg("%s: taken", script->name);
			if (strcmp(answers[0].error.code, script->error) != 0)
				fail_msg("%s: [%s] %s", script->name, answers[0].error.code,
				         answers[0].error.text);
			assert_non_null(strstr(answers[0].error.text, address));
			assert_null(strchr(answers[0].error.text, '\n'));
			assert_null(strchr(answers[0].error.text, '\x1b'));
			continue;
		}
		if (!answers[0].usable)
			fail_msg("%s: [%s] %s", script->name, answers[0].error.code,
			         answers[0].error.text);
		/* Loopback's delay bounds the error; the best sample counts. */
		assert_true(llabs(answers[0].offset - script->offset) < 20000);
		assert_in_range(answers[0].delay, 0, 50000);
		assert_int_equal(answers[0].stratum, 3);
		assert_int_equal(answers[0].leap, script->leap);
	}
}

/* A request tells nothing of this host: neither its time nor its state. */
static void test_requests_are_bare(void **state)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof address;
	struct sg_sntp_options options = {.samples = 2, .limit = 2 * SG_SECOND};
	const char *const server = "127.0.0.1";
	unsigned char cookies[2][8];
	int opened = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(bind(opened, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(opened, (struct sockaddr *)&address, &length),
	                 0);
	options.port = ntohs(address.sin_port);
	pid_t child = fork();
	if (child == 0) {
		struct sg_sntp_answer answers[SG_MAX_ADDRESSES];

		sg_sntp_query(&server, 1, &options, answers);
		_exit(0);
	}
	for (int i = 0; i < 2; i++) {
		static const unsigned char nothing[39];
		unsigned char request[64];
		uint64_t now = ntp_time(sg_time_now());

		assert_int_equal(recv(opened, request, sizeof request, 0), 48);
		assert_int_equal(request[0], 4 << 3 | 3); /* version 4, client */
		assert_memory_equal(request + 1, nothing, sizeof nothing);
		memcpy(cookies[i], request + 40, sizeof cookies[i]);
		/* Not the time, to the second. */
		assert_memory_not_equal(cookies[i], &now, 4);
	}
	assert_memory_not_equal(cookies[0], cookies[1], sizeof cookies[0]);
	close(opened);
	waitpid(child, NULL, 0);
}

static void test_nobody_there(void **state)
{
	const struct script nobody = {GOOD};
	struct sg_sntp_options options = sg_sntp_defaults;
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
	const char *const servers[] = {"127.0.0.1", "name.invalid"};

	(void)state;
	stop(start(&nobody, &options.port));
	assert_int_equal(sg_sntp_query(servers, 2, &options, answers), 2);
	assert_false(answers[0].usable);
	assert_string_equal(answers[0].error.code, "unreachable");
	assert_string_equal(answers[1].error.code, "unknown-name");
	assert_string_equal(answers[1].server, "name.invalid");
}

/* A dead server does not make the others wait beyond the limit. */
static void test_limit_is_shared(void **state)
{
	const struct script silent = {GOOD, .silent = true};
	struct sg_sntp_options options = sg_sntp_defaults;
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
	const char *const servers[] = {"127.0.0.1", "127.0.0.1", "127.0.0.1"};

	(void)state;
	options.limit = SG_SECOND;
	pid_t child = start(&silent, &options.port);
	sg_usec started = sg_time_elapsed();
	assert_int_equal(sg_sntp_query(servers, 3, &options, answers), 3);
	assert_in_range(sg_time_elapsed() - started, 0, 2 * SG_SECOND);
	stop(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_requests_are_bare),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_limit_is_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
