/* SPDX-License-Identifier: MIT */
/*
 * SNTP against a server on loopback that follows a script: what it gets wrong
 * is named, and its time is taken only when it is right.
 */
#include "check.h"

#include "lib/sntp/sntp.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EPOCH 2208988800U
#define RELEASE ((sg_usec)SG_RELEASE_TIME * SG_SECOND)
#define YEAR ((sg_usec)31557600 * SG_SECOND)

/* ---- what happens to this host ---------------------------------------------
 * The query's own calls of the C library come here first. */

static struct {
	sg_usec ahead;         /* of the true time: this host's clock */
	unsigned steps_after;  /* so many readings; 0: it is not stepped */
	bool without_stamps;   /* the kernel's, which are not ahead */
	sg_usec busy;          /* before a packet that has come is read */
	unsigned routes_after; /* so many connects without a route */
	bool one_route;        /* for the first connect alone */
	bool detour;           /* of the second connect, to 127.0.0.2 */
	unsigned readings;
	unsigned connects;
} host;

int clock_gettime(clockid_t clock, struct timespec *time)
{
	long failed = syscall(SYS_clock_gettime, clock, time);

	if (clock != CLOCK_REALTIME)
		return (int)failed;
	if (++host.readings > host.steps_after)
		time->tv_sec += (time_t)(host.ahead / SG_SECOND);
	return (int)failed;
}

int setsockopt(int opened, int level, int name, const void *value,
               socklen_t length)
{
	if (host.without_stamps && name == SO_TIMESTAMPNS)
		return -1;
	return (int)syscall(SYS_setsockopt, opened, level, name, value, length);
}

int connect(int opened, const struct sockaddr *address, socklen_t length)
{
	bool first = host.connects++ == 0;
	struct sockaddr_in other;

	if (host.connects <= host.routes_after || (host.one_route && !first)) {
		errno = ENETUNREACH;
		return -1;
	}
	if (host.detour && !first) {
		memcpy(&other, address, sizeof other);
		other.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
		address = (const struct sockaddr *)&other;
	}
	return (int)syscall(SYS_connect, opened, address, length);
}

int poll(struct pollfd *polled, nfds_t count, int timeout)
{
	const struct timespec limit = {
		.tv_sec = timeout / 1000,
		.tv_nsec = (long)(timeout % 1000) * 1000000,
	};
	int found = ppoll(polled, count, &limit, NULL);

	if (found > 0 && host.busy > 0)
		sg_time_sleep(host.busy);
	return found;
}

static int reset_host(void **state)
{
	(void)state;
	memset(&host, 0, sizeof host);
	return 0;
}

/* ---- what the server does ------------------------------------------------ */

/* How the server errs. */
struct script {
	const char *name;
	const char *error; /* the code; NULL: its time is taken */
	const char
		*reason;    /* a part of the error's text, where the code is shared */
	sg_usec offset; /* of its clock to ours */
	bool from_release; /* `offset` is that of its time to the release's */
	int leap;
	int version;
	int stratum;
	int precision;
	int mode;
	size_t size;
	const char *kiss;
	uint32_t dispersion; /* 16.16 seconds */
	bool wrong_origin;
	bool wrong_first; /* a forged reply, then the true one */
	bool other_port;
	bool silent;
	bool zero_times;
	sg_usec hold;                /* between its two times */
	sg_usec every_other;         /* delays every other reply */
	sg_usec least_distance;      /* what it can be off by at least */
	const struct script *second; /* its second reply is this one's */
	bool dies;                   /* after its first reply */
	bool ipv6;
};

#define GOOD .version = 4, .stratum = 3, .precision = -20, .mode = 4, .size = 48

static const struct script not_synchronised = {GOOD, .leap = 3};
static const struct script of_version_2 = {
	.version = 2, .stratum = 3, .precision = -20, .mode = 4, .size = 48};
static const struct script rate = {
	.version = 4, .mode = 4, .size = 48, .kiss = "RATE"};
static const struct script ten_seconds_on = {GOOD, .offset = 10 * SG_SECOND};
static const struct script slightly_on = {GOOD, .offset = SG_SECOND / 150};
static const struct script right = {GOOD};

static const struct script scripts[] = {
	{.name = "right", GOOD},
	{.name = "right, version 3",
     .version = 3,
     .stratum = 3,
     .precision = -20,
     .mode = 4,
     .size = 48},
	{.name = "10 s ahead", GOOD, .offset = 10 * SG_SECOND},
	{.name = "10 s behind", GOOD, .offset = -10 * SG_SECOND},
	{.name = "a year ahead", GOOD, .offset = YEAR},
	/* Our clock cannot be set to 2036, but the server's can: from here it is
     * less than 68 years off. */
	{.name = "in the era after 2036", GOOD, .offset = 14 * YEAR},
	{.name = "a leap second is near", GOOD, .leap = 1},
	{.name = "slow every other time", GOOD, .every_other = SG_SECOND / 5},
	{.name = "a forged reply before the true one", GOOD, .wrong_first = true},
	{.name = "not synchronised", GOOD, .leap = 3, .error = "not-synchronised"},
	{.name = "right, then not synchronised",
     GOOD,
     .second = &not_synchronised,
     .error = "not-synchronised"},
	{.name = "stratum 16",
     .version = 4,
     .stratum = 16,
     .mode = 4,
     .size = 48,
     .error = "not-synchronised"},
	{.name = "RATE",
     .version = 4,
     .mode = 4,
     .size = 48,
     .kiss = "RATE",
     .error = "kiss-of-death"},
	{.name = "right, then RATE", GOOD, .second = &rate},
	{.name = "DENY",
     .version = 4,
     .mode = 4,
     .size = 48,
     .kiss = "DENY",
     .error = "kiss-of-death"},
	{.name = "a kiss code that would spoil a log",
     .version = 4,
     .mode = 4,
     .size = 48,
     .kiss = "\n\x1b[m",
     .error = "kiss-of-death"},
	{.name = "wrong origin", GOOD, .wrong_origin = true, .error = "bad-reply"},
	{.name = "short",
     .version = 4,
     .stratum = 3,
     .mode = 4,
     .size = 47,
     .error = "bad-reply"},
	{.name = "empty", .version = 4, .mode = 4, .error = "bad-reply"},
	{.name = "a client's packet",
     .version = 4,
     .stratum = 3,
     .mode = 3,
     .size = 48,
     .error = "bad-reply"},
	{.name = "version 2",
     .version = 2,
     .stratum = 3,
     .mode = 4,
     .size = 48,
     .error = "bad-reply",
     .reason = "version"},
	{.name = "version 5",
     .version = 5,
     .stratum = 3,
     .mode = 4,
     .size = 48,
     .error = "bad-reply",
     .reason = "version"},
	{.name = "right, then version 2",
     GOOD,
     .second = &of_version_2,
     .error = "bad-reply"},
	{.name = "no times", GOOD, .zero_times = true, .error = "bad-reply"},
	{.name = "sent before it was received",
     GOOD,
     .hold = -SG_SECOND,
     .error = "bad-reply",
     .reason = "before its question"},
	{.name = "held for longer than it was away",
     GOOD,
     .hold = 10 * SG_SECOND,
     .error = "bad-reply",
     .reason = "less than no time"},
	{.name = "held by less than a clock's grain",
     GOOD,
     .hold = SG_SECOND / 1500},
	{.name = "held by less than its precision",
     .version = 4,
     .stratum = 3,
     .precision = -6,
     .mode = 4,
     .size = 48,
     .hold = SG_SECOND / 100,
     .least_distance = SG_SECOND / 64},
	{.name = "its clock is stepped between two replies",
     GOOD,
     .second = &ten_seconds_on,
     .error = "bad-reply",
     .reason = "contradicts"},
	{.name = "its clock is slewed", GOOD, .second = &slightly_on},
	{.name = "just before the release",
     GOOD,
     .from_release = true,
     .offset = -60 * SG_SECOND,
     .error = "bad-reply",
     .reason = "older than this release"},
	{.name = "just after the release",
     GOOD,
     .from_release = true,
     .offset = 60 * SG_SECOND},
	/* Which NTP cannot tell from 56 years behind. */
	{.name = "80 years ahead",
     GOOD,
     .offset = 80 * YEAR,
     .error = "bad-reply",
     .reason = "older than this release"},
	{.name = "too distant",
     GOOD,
     .dispersion = 2 << 16,
     .error = "too-distant"},
	{.name = "too coarse",
     .version = 4,
     .stratum = 3,
     .precision = 127,
     .mode = 4,
     .size = 48,
     .error = "too-distant"},
	{.name = "too distant, then right",
     GOOD,
     .dispersion = 2 << 16,
     .second = &right},
	{.name = "from another port",
     GOOD,
     .other_port = true,
     .error = "no-answer"},
	{.name = "silence", GOOD, .silent = true, .error = "no-answer"},
};

#define SCRIPTS (sizeof scripts / sizeof *scripts)

static uint64_t ntp_time(sg_usec time)
{
	return htobe64((uint64_t)(time / SG_SECOND + EPOCH) << 32 |
	               ((uint64_t)(time % SG_SECOND) << 32) / 1000000);
}

/* When the tests began: a server's clock runs from there. */
static sg_usec began;

static sg_usec true_offset(const struct script *script)
{
	return script->from_release ? RELEASE + script->offset - began
	                            : script->offset;
}

static void fill(const struct script *script, const unsigned char *request,
                 unsigned char *reply)
{
	sg_usec time = sg_time_now() + true_offset(script);
	uint64_t received = ntp_time(time);
	uint64_t sent = ntp_time(time + script->hold);
	uint32_t dispersion = htobe32(script->dispersion);

	memset(reply, 0, 48);
	reply[0] = (unsigned char)(script->leap << 6 | script->version << 3 |
	                           script->mode);
	reply[1] = (unsigned char)script->stratum;
	reply[3] = (unsigned char)script->precision;
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
		fill(count == 1 && script->second != NULL ? script->second : script,
		     request, reply);
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
		if (script->dies)
			_exit(0);
	}
}

/* Its socket on 127.0.0.`last`, or on ::1; on a free port, if it is 0. */
static int open_server(const struct script *script, unsigned last,
                       uint16_t *port)
{
	struct sockaddr_in four = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + last),
		.sin_port = htons(*port),
	};
	struct sockaddr_in6 six = {
		.sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
		.sin6_port = htons(*port),
	};
	struct sockaddr *address =
		script->ipv6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t length = script->ipv6 ? sizeof six : sizeof four;
	int server = socket(address->sa_family, SOCK_DGRAM, 0);

	assert_true(server >= 0);
	assert_int_equal(bind(server, address, length), 0);
	assert_int_equal(getsockname(server, address, &length), 0);
	*port = ntohs(script->ipv6 ? six.sin6_port : four.sin_port);
	return server;
}

static pid_t start_server(const struct script *script, unsigned last,
                          uint16_t *port)
{
	int server = open_server(script, last, port);
	pid_t child = fork();

	if (child == 0) {
		reset_host(NULL);
		serve(server, script);
	}
	close(server);
	return child;
}

static void stop_server(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* A port that is free on every address of loopback. */
static uint16_t find_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof address;
	int opened = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(opened, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(opened, (struct sockaddr *)&address, &length),
	                 0);
	close(opened);
	return ntohs(address.sin_port);
}

static void expect_usable(const struct script *script, sg_usec offset,
                          const struct sg_sntp_answer *answer)
{
	if (!answer->usable)
		fail_msg("%s: [%s] %s", script->name, answer->error.code,
		         answer->error.text);
	/* Loopback's delay bounds the error; the best sample counts. */
	if (llabs(answer->offset - offset) > SG_SECOND / 20 ||
	    llabs(answer->offset - offset) >
	        answer->root_distance + llabs(script->hold) + SG_SECOND / 100 ||
	    answer->delay < 0 || answer->delay > SG_SECOND / 10 ||
	    answer->root_distance < script->least_distance)
		fail_msg("%s: offset %+.6f s, delay %.6f s, root distance %.6f s",
		         script->name, (double)answer->offset / 1e6,
		         (double)answer->delay / 1e6,
		         (double)answer->root_distance / 1e6);
	assert_int_equal(answer->stratum, 3);
	assert_int_equal(answer->leap, script->leap);
}

static void expect_error(const struct script *script,
                         const struct sg_sntp_answer *answer)
{
	if (answer->usable)
		fail_msg("%s: taken", script->name);
	if (strcmp(answer->error.code, script->error) != 0 ||
	    (script->reason != NULL &&
	     strstr(answer->error.text, script->reason) == NULL))
		fail_msg("%s: [%s] %s", script->name, answer->error.code,
		         answer->error.text);
	assert_non_null(strstr(answer->error.text, answer->address));
	assert_null(strchr(answer->error.text, '\n'));
	assert_null(strchr(answer->error.text, '\x1b'));
}

/* Half of the scripts at once, each on an address of its own: a query asks 32
 * addresses at most, and their waits are the same. */
static void test_half(size_t first, size_t end)
{
	struct sg_sntp_options options = sg_sntp_defaults;
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
	char addresses[SG_MAX_ADDRESSES][32];
	const char *servers[SG_MAX_ADDRESSES];
	pid_t children[SG_MAX_ADDRESSES];
	size_t count = end - first;

	options.limit = SG_SECOND;
	options.port = find_port();
	for (size_t i = 0; i < count; i++) {
		snprintf(addresses[i], sizeof addresses[i], "127.0.0.%zu", i + 1);
		servers[i] = addresses[i];
		children[i] =
			start_server(&scripts[first + i], (unsigned)i + 1, &options.port);
	}
	assert_int_equal(sg_sntp_query(servers, count, &options, answers), count);
	for (size_t i = 0; i < count; i++)
		stop_server(children[i]);
	for (size_t i = 0; i < count; i++) {
		const struct script *script = &scripts[first + i];

		assert_string_equal(answers[i].address, addresses[i]);
		if (script->error == NULL)
			expect_usable(script, true_offset(script), &answers[i]);
		else
			expect_error(script, &answers[i]);
	}
}

static void test_scripts(void **state)
{
	(void)state;
	test_half(0, SCRIPTS / 2);
	test_half(SCRIPTS / 2, SCRIPTS);
}

/* One server on loopback, asked as the defaults say. */
static void ask_one(const struct script *script, struct sg_sntp_answer *answer)
{
	struct sg_sntp_options options = sg_sntp_defaults;
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
	const char *server = script->ipv6 ? "::1" : "127.0.0.1";

	options.port = 0;
	pid_t child = start_server(script, 1, &options.port);
	assert_int_equal(sg_sntp_query(&server, 1, &options, answers), 1);
	stop_server(child);
	assert_string_equal(answers[0].address, server);
	*answer = answers[0];
	answer->server = NULL;
}

static void test_ipv6(void **state)
{
	const struct script script = {.name = "IPv6", GOOD, .ipv6 = true};
	struct sg_sntp_answer answer;

	(void)state;
	ask_one(&script, &answer);
	expect_usable(&script, 0, &answer);
}

/* Our own clock is stepped between each question and its answer. */
static void test_own_clock_is_stepped_meanwhile(void **state)
{
	static const sg_usec steps[] = {10 * SG_SECOND, -10 * SG_SECOND};
	const struct script script = {
		.name = "stepped", GOOD, .error = "bad-reply", .reason = "was stepped"};

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct sg_sntp_answer answer;

		host.ahead = steps[i]; /* the kernel's stamps are right */
		ask_one(&script, &answer);
		expect_error(&script, &answer);
	}
}

/* It is stepped between two samples: the server is right all the time. */
static void test_own_clock_is_stepped_between(void **state)
{
	const struct script script = {.name = "stepped between", GOOD};
	struct sg_sntp_answer answer;

	(void)state;
	host.ahead = 10 * SG_SECOND;
	host.without_stamps = true;
	host.steps_after = 2; /* a question and an answer */
	ask_one(&script, &answer);
	expect_usable(&script, -host.ahead, &answer);
}

/* A host that has lost the time finds it, be it 70 years later. */
static void test_own_clock_is_lost(void **state)
{
	const struct script script = {
		.name = "1970", GOOD, .offset = 14 * YEAR, .error = NULL};
	struct sg_sntp_answer answer;

	(void)state;
	host.ahead = 1000 * SG_SECOND - sg_time_now();
	host.ahead -= host.ahead % SG_SECOND;
	host.without_stamps = true;
	ask_one(&script, &answer);
	expect_usable(&script, script.offset - host.ahead, &answer);
}

/* A host that is busy when the reply comes reads it late. */
static void test_the_kernel_stamps_replies(void **state)
{
	const struct script script = {.name = "busy", GOOD};
	struct sg_sntp_answer answer;

	(void)state;
	host.busy = SG_SECOND / 4;
	ask_one(&script, &answer);
	expect_usable(&script, 0, &answer);
}

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
	stop_server(child);
}

static void test_nobody_there(void **state)
{
	struct sg_sntp_options options = sg_sntp_defaults;
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
	const char *const servers[] = {"127.0.0.1", "name.invalid"};

	(void)state;
	options.limit = SG_SECOND / 2;
	options.port = find_port();
	assert_int_equal(sg_sntp_query(servers, 2, &options, answers), 2);
	assert_false(answers[0].usable);
	assert_string_equal(answers[0].error.code, "unreachable");
	assert_string_equal(answers[1].error.code, "unknown-name");
	assert_string_equal(answers[1].server, "name.invalid");
}

/* A server that is not up yet is refused to us; it is found as soon as it is.
 */
static void test_server_comes_up(void **state)
{
	const struct script script = {.name = "late", GOOD};
	struct sg_sntp_options options = sg_sntp_defaults;
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
	const char *const server = "127.0.0.1";

	(void)state;
	options.port = find_port();
	pid_t child = fork();
	if (child == 0) {
		sg_time_sleep(SG_SECOND);
		serve(open_server(&script, 1, &options.port), &script);
	}
	assert_int_equal(sg_sntp_query(&server, 1, &options, answers), 1);
	stop_server(child);
	expect_usable(&script, 0, &answers[0]);
}

/* A server that goes away has given its time. */
static void test_server_goes_away(void **state)
{
	const struct script script = {.name = "it goes away", GOOD, .dies = true};
	struct sg_sntp_answer answer;
	sg_usec started = sg_time_elapsed();

	(void)state;
	ask_one(&script, &answer);
	expect_usable(&script, 0, &answer);
	assert_true(sg_time_elapsed() - started < 3 * SG_SECOND);
}

/* So at boot, before the network is there. */
static void test_route_comes_up(void **state)
{
	const struct script script = {.name = "late route", GOOD};
	struct sg_sntp_answer answer;

	(void)state;
	host.routes_after = 3;
	ask_one(&script, &answer);
	expect_usable(&script, 0, &answer);
	assert_int_equal(host.connects, 4);
}

/* Without a route it tries until the limit, at its leisure. */
static void test_no_route(void **state)
{
	struct sg_sntp_options options = sg_sntp_defaults;
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
	const char *const server = "127.0.0.1";
	sg_usec started = sg_time_elapsed();

	(void)state;
	host.routes_after = UINT32_MAX;
	options.limit = SG_SECOND;
	assert_int_equal(sg_sntp_query(&server, 1, &options, answers), 1);
	assert_string_equal(answers[0].error.code, "unreachable");
	assert_non_null(strstr(answers[0].error.text, "Network is unreachable"));
	assert_true(sg_time_elapsed() - started >= SG_SECOND);
	assert_true(sg_time_elapsed() - started < 3 * SG_SECOND);
	assert_true(host.connects > 1 && host.connects < 10);
}

/* A name with an address that has no route here does not take the whole limit,
 * if another of its addresses gives the time; another server does. */
static void test_no_route_to_an_address(void **state)
{
	const struct script script = {.name = "two addresses", GOOD};
	static const char name[] = "127.0.0.1";
	const char *const servers[][2] = {{name, name}, {name, "127.0.0.2"}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sg_sntp_options options = sg_sntp_defaults;
		struct sg_sntp_answer answers[SG_MAX_ADDRESSES];

		reset_host(NULL);
		host.one_route = true;
		options.limit = 3 * SG_SECOND / 2;
		options.port = 0;
		pid_t child = start_server(&script, 1, &options.port);
		sg_usec started = sg_time_elapsed();
		assert_int_equal(sg_sntp_query(servers[i], 2, &options, answers), 2);
		stop_server(child);
		expect_usable(&script, 0, &answers[0]);
		assert_string_equal(answers[1].error.code, "unreachable");
		assert_int_equal(sg_time_elapsed() - started < options.limit, i == 0);
	}
}

/* One that is slow to answer is waited for. */
static void test_slow_address(void **state)
{
	const struct script quick = {.name = "quick", GOOD};
	const struct script slow = {
		.name = "slow", GOOD, .every_other = SG_SECOND * 3 / 4};
	static const char name[] = "127.0.0.1";
	const char *const servers[] = {name, name};
	struct sg_sntp_options options = sg_sntp_defaults;
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];

	(void)state;
	host.detour = true;
	options.samples = 2;
	options.port = find_port();
	pid_t children[] = {start_server(&quick, 1, &options.port),
	                    start_server(&slow, 2, &options.port)};
	assert_int_equal(sg_sntp_query(servers, 2, &options, answers), 2);
	stop_server(children[0]);
	stop_server(children[1]);
	expect_usable(&quick, 0, &answers[0]);
	expect_usable(&slow, 0, &answers[1]);
}

/* A dead server does not make the others wait beyond the limit. */
static void test_limit_is_shared(void **state)
{
	const struct script silent = {GOOD, .silent = true};
	struct sg_sntp_options options = sg_sntp_defaults;
	struct sg_sntp_answer answers[SG_MAX_ADDRESSES];
	const char *const servers[] = {"127.0.0.1", "127.0.0.1", "127.0.0.1"};

	(void)state;
	options.limit = SG_SECOND / 2;
	options.port = 0;
	pid_t child = start_server(&silent, 1, &options.port);
	sg_usec started = sg_time_elapsed();
	assert_int_equal(sg_sntp_query(servers, 3, &options, answers), 3);
	assert_true(sg_time_elapsed() - started < 2 * SG_SECOND);
	stop_server(child);
}

#define TEST(function) cmocka_unit_test_setup(function, reset_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_scripts),
		TEST(test_ipv6),
		TEST(test_own_clock_is_stepped_meanwhile),
		TEST(test_own_clock_is_stepped_between),
		TEST(test_own_clock_is_lost),
		TEST(test_the_kernel_stamps_replies),
		TEST(test_requests_are_bare),
		TEST(test_nobody_there),
		TEST(test_server_comes_up),
		TEST(test_server_goes_away),
		TEST(test_route_comes_up),
		TEST(test_no_route),
		TEST(test_no_route_to_an_address),
		TEST(test_slow_address),
		TEST(test_limit_is_shared),
	};

	began = sg_time_now();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
