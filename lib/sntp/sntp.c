/* SPDX-License-Identifier: MIT */
/*
 * What a time server says: SNTP (RFC 5905 section 14, RFC 4330).
 *
 * The threat is a reply that is not the server's. So each request carries a
 * random number in place of our time (draft-ietf-ntp-data-minimization), which
 * the reply must repeat, and the socket is connected, so that the kernel drops
 * what comes from anywhere else.
 */
#include "sntp.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* RFC 5905 figure 8, without extension fields and MAC. */
#define PACKET_SIZE 48

/* Seconds from 1900, where NTP counts from, to 1970. */
#define EPOCH 2208988800U

#define NTP_VERSION 4
#define CLIENT_MODE 3
#define SERVER_MODE 4
#define LEAP_UNKNOWN 3
#define MAX_STRATUM 15

/* ntpd does not select a source beyond this (tos maxdist, ntp.conf(5)). */
#define MAX_ROOT_DISTANCE (3 * SG_SECOND / 2)

/* Servers may drop what comes faster; nobody waits longer for one reply. */
#define SAMPLE_INTERVAL (SG_SECOND / 10)
#define SAMPLE_LIMIT SG_SECOND

/* An address that cannot be reached yet is tried so often: at boot a route may
 * be missing, and a server that starts refuses at first. */
#define RETRY_INTERVAL (SG_SECOND / 5)

/* Our clock was stepped between two of its readings when they and the monotonic
 * ones differ by more. */
#define MAX_STEP (SG_SECOND / 100)

/* The grain that a clock's readings may have beyond its stated precision, for a
 * host or a server that is a virtual machine. */
#define GRAIN (SG_SECOND / 1000)

/* The kernel slews a clock by a tenth at most (adjtimex(2), tick): a server
 * that does so between two samples does not contradict itself. */
#define SLEW(elapsed) ((elapsed) / 10)

/* No server's clock can be right and show less. */
#define RELEASE_TIME ((sg_usec)SG_RELEASE_TIME * SG_SECOND)

const struct sg_sntp_options sg_sntp_defaults = {
	.samples = 4,
	.limit = 5 * SG_SECOND,
	.port = SG_NTP_PORT,
};

/* The conversation with one address. */
struct exchange {
	struct sg_sntp_answer *answer;
	struct sockaddr_storage to;
	socklen_t to_length;
	int socket;    /* -1: closed */
	unsigned sent; /* without those that could not go out */
	bool waiting;
	bool over;
	uint64_t cookie; /* as it went out */
	sg_usec sent_at;
	sg_usec sent_elapsed; /* monotonic */
	sg_usec due;          /* when it is time to act; monotonic */
	/* Of the sample that is the answer: */
	sg_usec best_at;    /* monotonic */
	sg_usec best_shift; /* our clock less the monotonic one */
};

/* A reply's fields, in host order. */
struct reply {
	int leap;
	int version;
	int mode;
	int stratum;
	int precision; /* of its clock: seconds, as a power of two */
	char kiss[5];
	uint32_t root_delay; /* 16.16 seconds */
	uint32_t root_dispersion;
	uint64_t origin; /* as it came */
	uint64_t received;
	uint64_t transmitted;
};

/* To NTP's 32.32 seconds, which wrap around in 2036 (RFC 5905 section 6). */
static uint64_t to_ntp(sg_usec time)
{
	uint64_t seconds = (uint64_t)(time / SG_SECOND) + EPOCH;
	uint64_t fraction = ((uint64_t)(time % SG_SECOND) << 32) / 1000000;

	return seconds << 32 | fraction;
}

/*
 * The difference of two NTP times. Unsigned subtraction, read as signed, is
 * right across the end of an era as long as the two are within 68 years.
 */
static sg_usec ntp_difference(uint64_t later, uint64_t earlier)
{
	int64_t difference = (int64_t)(later - earlier);
	int64_t seconds = difference >> 32;
	uint64_t fraction = (uint64_t)difference & UINT32_MAX;

	return seconds * SG_SECOND + (sg_usec)((fraction * 1000000) >> 32);
}

static sg_usec short_to_usec(uint32_t value)
{
	return (sg_usec)(((uint64_t)value * 1000000) >> 16);
}

/* What a precision of 64 s and more is makes no difference. */
static sg_usec precision_to_usec(int precision)
{
	if (precision >= 0)
		return SG_SECOND << (precision < 6 ? precision : 6);
	return precision > -20 ? SG_SECOND >> -precision : 1;
}

static uint32_t get32(const unsigned char *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof value);
	return be32toh(value);
}

static uint64_t get64(const unsigned char *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof value);
	return be64toh(value);
}

static void parse_reply(const unsigned char *packet, struct reply *reply)
{
	*reply = (struct reply){
		.leap = packet[0] >> 6,
		.version = packet[0] >> 3 & 7,
		.mode = packet[0] & 7,
		.stratum = packet[1],
		.precision = (int8_t)packet[3],
		.root_delay = get32(packet + 4),
		.root_dispersion = get32(packet + 8),
		.received = get64(packet + 32),
		.transmitted = get64(packet + 40),
	};
	memcpy(&reply->origin, packet + 24, sizeof reply->origin);
	/* A kiss code is four letters; whatever else it is goes into a log. */
	for (size_t i = 0; i < 4; i++) {
		reply->kiss[i] = '?';
		if (packet[12 + i] >= 'A' && packet[12 + i] <= 'Z')
			reply->kiss[i] = (char)packet[12 + i];
	}
}

static void hang_up(struct exchange *exchange)
{
	if (exchange->socket >= 0)
		close(exchange->socket);
	exchange->socket = -1;
	exchange->waiting = false;
}

static void end(struct exchange *exchange)
{
	hang_up(exchange);
	exchange->over = true;
}

/* Tries again later, unless a sample is there already. On a new socket: an
 * address that this host gets meanwhile is the source of its packets only then.
 */
static void retry(struct exchange *exchange, const char *hint)
{
	sg_fail(&exchange->answer->error, "unreachable",
	        "%s cannot be reached: %s; %s", exchange->answer->address,
	        strerror(errno), hint);
	hang_up(exchange);
	exchange->over = exchange->answer->usable;
	exchange->due = sg_time_elapsed() + RETRY_INTERVAL;
}

static int open_socket(struct exchange *exchange)
{
	const int on = 1;

	if (exchange->socket >= 0)
		return 0;
	exchange->socket =
		socket(exchange->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (exchange->socket < 0)
		return -1;
	setsockopt(exchange->socket, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	return connect(exchange->socket, (const struct sockaddr *)&exchange->to,
	               exchange->to_length);
}

static void send_request(struct exchange *exchange)
{
	static const char hint[] = "is this host on that network?";
	unsigned char packet[PACKET_SIZE] = {NTP_VERSION << 3 | CLIENT_MODE};

	if (open_socket(exchange) != 0) {
		retry(exchange, hint);
		return;
	}
	if (getrandom(&exchange->cookie, sizeof exchange->cookie, 0) !=
	    (ssize_t)sizeof exchange->cookie) {
		end(exchange);
		return;
	}
	memcpy(packet + 40, &exchange->cookie, sizeof exchange->cookie);
	exchange->waiting = true;
	exchange->sent_elapsed = sg_time_elapsed();
	exchange->sent_at = sg_time_now();
	exchange->due = exchange->sent_elapsed + SAMPLE_LIMIT;
	if (send(exchange->socket, packet, sizeof packet, 0) < 0)
		retry(exchange, hint);
	else
		exchange->sent++;
}

/* The server's own word cannot be: what it said before is worth as little. */
static int fail_reply(struct sg_sntp_answer *answer, const char *what)
{
	answer->usable = false;
	return sg_fail(&answer->error, "bad-reply", "%s sent a reply that %s",
	               answer->address, what);
}

/* Judges a reply that is the server's. Returns 0 when its time can be used. */
static int judge_reply(const struct reply *reply, struct sg_sntp_answer *answer)
{
	if (reply->version < 3 || reply->version > 4)
		return fail_reply(answer, "is of a version of NTP other than 3 and 4; "
		                          "is it a time server?");
	if (reply->stratum == 0)
		return sg_fail(&answer->error, "kiss-of-death",
		               "%s sent the kiss code %s: it does not serve this host "
		               "now; ask less often, or another server",
		               answer->address, reply->kiss);
	if (reply->leap == LEAP_UNKNOWN || reply->stratum > MAX_STRATUM) {
		answer->usable = false;
		return sg_fail(&answer->error, "not-synchronised",
		               "%s says that it is not synchronised itself (leap %d, "
		               "stratum %d); use another server",
		               answer->address, reply->leap, reply->stratum);
	}
	if (reply->received == 0 || reply->transmitted == 0 ||
	    ntp_difference(reply->transmitted, reply->received) < 0)
		return fail_reply(answer, "has no times, or was sent before its "
		                          "question came; is it a time server?");
	return 0;
}

/* One sample: an offset, and the most that it can be off by. */
struct sample {
	sg_usec offset;
	sg_usec delay;
	sg_usec distance;
};

/*
 * Measures by the four times (RFC 5905 section 8). A host whose clock is older
 * than this release has lost it, and NTP's times count 68 years around the
 * release then.
 */
static int measure(const struct exchange *exchange, const struct reply *reply,
                   sg_usec received_at, struct sample *sample)
{
	sg_usec shift =
		exchange->sent_at < RELEASE_TIME ? RELEASE_TIME - exchange->sent_at : 0;
	uint64_t sent = to_ntp(exchange->sent_at + shift);
	uint64_t received = to_ntp(received_at + shift);
	sg_usec outward = ntp_difference(reply->received, sent) + shift;
	sg_usec back = ntp_difference(reply->transmitted, received) + shift;
	sg_usec precision = precision_to_usec(reply->precision);

	sample->offset = outward / 2 + back / 2;
	sample->delay = outward - back;
	if (exchange->sent_at + outward < RELEASE_TIME)
		return fail_reply(exchange->answer,
		                  "is older than this release of skewgate; is its "
		                  "server's clock right?");
	if (sample->delay < -(GRAIN + precision))
		return fail_reply(exchange->answer,
		                  "took less than no time; is its server's clock "
		                  "steady, and this host's?");
	sample->distance =
		(short_to_usec(reply->root_delay) + llabs(sample->delay)) / 2 +
		short_to_usec(reply->root_dispersion) + precision;
	if (sample->delay < 0)
		sample->delay = 0; /* its clock ticks coarser than the round trip */
	return 0;
}

/* Whether the sample's interval, offset ± distance, meets that of the answer.
 */
static bool agrees(const struct exchange *exchange, const struct sample *sample)
{
	const struct sg_sntp_answer *answer = exchange->answer;
	sg_usec slew = SLEW(sg_time_elapsed() - exchange->best_at);

	return llabs(sample->offset - answer->offset) <=
	       sample->distance + answer->root_distance + slew;
}

/* Takes one sample; the one with the least delay is the least wrong. */
static int take_sample(struct exchange *exchange, const struct reply *reply,
                       sg_usec received_at)
{
	struct sg_sntp_answer *answer = exchange->answer;
	sg_usec shift = exchange->sent_at - exchange->sent_elapsed;
	struct sample sample = {0};

	if (measure(exchange, reply, received_at, &sample) != 0)
		return -1;
	if (sample.distance > MAX_ROOT_DISTANCE) {
		sg_fail(&answer->error, "too-distant",
		        "%s may be off by %.1f s (root distance), ntpd would not "
		        "follow it; use another server",
		        answer->address, (double)sample.distance / 1e6);
		return 0; /* the next reply may be faster */
	}
	/* What was measured before our own clock was stepped is void. */
	if (answer->usable && llabs(shift - exchange->best_shift) > MAX_STEP)
		answer->usable = false;
	if (answer->usable && !agrees(exchange, &sample))
		return fail_reply(answer, "contradicts its last one; use another "
		                          "server until this one's clock is steady");
	if (answer->usable && sample.delay >= answer->delay)
		return 0;
	exchange->best_at = exchange->sent_elapsed;
	exchange->best_shift = shift;
	answer->usable = true;
	answer->offset = sample.offset;
	answer->delay = sample.delay;
	answer->root_distance = sample.distance;
	answer->stratum = reply->stratum;
	answer->leap = reply->leap;
	return 0;
}

/* Receives with the kernel's own time stamp, if it gives one. */
static ssize_t receive(int socket, unsigned char *packet, sg_usec *received_at)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
	struct iovec data = {.iov_base = packet, .iov_len = PACKET_SIZE};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control,
	};

	ssize_t size = recvmsg(socket, &message, MSG_DONTWAIT);
	*received_at = sg_time_now();
	if (size < 0)
		return size;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header != NULL && header->cmsg_level == SOL_SOCKET &&
	    header->cmsg_type == SCM_TIMESTAMPNS) {
		struct timespec stamp;

		memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
		*received_at = (sg_usec)stamp.tv_sec * SG_SECOND + stamp.tv_nsec / 1000;
	}
	return size;
}

/* Whether our own clock was stepped between request and reply. */
static bool was_stepped(const struct exchange *exchange, sg_usec received_at)
{
	sg_usec by_clock = received_at - exchange->sent_at;
	sg_usec by_timer = sg_time_elapsed() - exchange->sent_elapsed;

	return by_clock < -MAX_STEP || by_clock > by_timer + MAX_STEP;
}

static void read_reply(struct exchange *exchange)
{
	struct sg_sntp_answer *answer = exchange->answer;
	unsigned char packet[PACKET_SIZE];
	struct reply reply;
	sg_usec received_at = 0;

	ssize_t size = receive(exchange->socket, packet, &received_at);
	if (size < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return;
		if (exchange->waiting)
			exchange->sent--;
		retry(exchange, "nothing serves time there");
		return;
	}
	if (size < PACKET_SIZE) {
		sg_fail(
			&answer->error, "bad-reply",
			"%s sent %zd bytes, which is no NTP reply; is it a time server?",
			answer->address, size);
		return;
	}
	parse_reply(packet, &reply);
	if (!exchange->waiting || reply.mode != SERVER_MODE ||
	    reply.origin != exchange->cookie) {
		sg_fail(&answer->error, "bad-reply",
		        "%s sent a reply to another question (its origin time stamp is "
		        "not ours); is somebody in between?",
		        answer->address);
		return; /* the true reply may still come */
	}
	exchange->waiting = false;
	exchange->due = exchange->sent_elapsed + SAMPLE_INTERVAL;
	if (was_stepped(exchange, received_at)) {
		sg_fail(&answer->error, "bad-reply",
		        "%s was asked while this host's clock was stepped; ask again "
		        "when nothing else sets it",
		        answer->address);
		return;
	}
	if (judge_reply(&reply, answer) != 0 ||
	    take_sample(exchange, &reply, received_at) != 0)
		end(exchange); /* asking again would not change it */
}

/* Whether another address of the same server gave its time: then the server has
 * answered, and one without a route to it needs no more patience. */
static bool is_spared(const struct exchange *exchange,
                      const struct exchange *exchanges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (exchanges[i].answer->server == exchange->answer->server &&
		    exchanges[i].over && exchanges[i].answer->usable)
			return exchange->socket < 0;
	return false;
}

/* Sends what is due; returns when something is due next, or 0 when it is over.
 */
static sg_usec advance(struct exchange *exchange, unsigned samples)
{
	if (exchange->over)
		return 0;
	if (sg_time_elapsed() < exchange->due &&
	    (exchange->waiting || exchange->sent < samples))
		return exchange->due;
	if (exchange->sent >= samples) {
		end(exchange);
		return 0;
	}
	send_request(exchange);
	return exchange->over ? 0 : exchange->due;
}

/* All conversations at once, until each is over or the time is up. */
static void converse(struct exchange *exchanges, size_t count,
                     const struct sg_sntp_options *options)
{
	sg_usec limit = sg_time_elapsed() + options->limit;

	for (;;) {
		struct pollfd polled[SG_MAX_ADDRESSES];
		sg_usec next = 0;

		for (size_t i = 0; i < count; i++) {
			if (is_spared(&exchanges[i], exchanges, count))
				end(&exchanges[i]);
			sg_usec due = advance(&exchanges[i], options->samples);

			polled[i] =
				(struct pollfd){.fd = exchanges[i].socket, .events = POLLIN};
			if (due != 0 && (next == 0 || due < next))
				next = due;
		}
		sg_usec now = sg_time_elapsed();
		if (next == 0 || now >= limit)
			return;
		if (next > limit)
			next = limit;
		int wait = next <= now ? 0 : (int)((next - now) / 1000) + 1;
		if (poll(polled, count, wait) < 0)
			return; /* a signal: whoever sent it does not want to wait */
		for (size_t i = 0; i < count; i++)
			if (polled[i].revents != 0 && exchanges[i].socket >= 0)
				read_reply(&exchanges[i]);
	}
}

static void begin(const char *server, const struct addrinfo *address,
                  struct exchange *exchange)
{
	struct sg_sntp_answer *answer = exchange->answer;

	*answer = (struct sg_sntp_answer){.server = server};
	getnameinfo(address->ai_addr, address->ai_addrlen, answer->address,
	            sizeof answer->address, NULL, 0, NI_NUMERICHOST);
	memcpy(&exchange->to, address->ai_addr, address->ai_addrlen);
	exchange->to_length = address->ai_addrlen;
	sg_fail(&answer->error, "no-answer",
	        "%s did not answer; is it reachable from here, and is UDP port 123 "
	        "open?",
	        answer->address);
}

/* Adds the server's addresses, as far as there is room. */
static size_t begin_all(const char *server, uint16_t port,
                        struct exchange *exchanges,
                        struct sg_sntp_answer *answers, size_t used)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_NUMERICSERV,
	};
	struct addrinfo *found = NULL;
	char service[8];

	snprintf(service, sizeof service, "%u", port);
	int failed = getaddrinfo(server, service, &hints, &found);
	if (failed != 0 && used < SG_MAX_ADDRESSES) {
		exchanges[used] = (struct exchange){
			.answer = &answers[used], .socket = -1, .over = true};
		answers[used] = (struct sg_sntp_answer){.server = server};
		sg_fail(&answers[used].error, "unknown-name",
		        "%s has no address: %s; check its spelling and this host's DNS",
		        server, gai_strerror(failed));
		return used + 1;
	}
	for (struct addrinfo *address = found;
	     address != NULL && used < SG_MAX_ADDRESSES;
	     address = address->ai_next) {
		exchanges[used] =
			(struct exchange){.answer = &answers[used], .socket = -1};
		begin(server, address, &exchanges[used++]);
	}
	if (found != NULL)
		freeaddrinfo(found);
	return used;
}

size_t sg_sntp_query(const char *const *servers, size_t count,
                     const struct sg_sntp_options *options,
                     struct sg_sntp_answer *answers)
{
	struct exchange exchanges[SG_MAX_ADDRESSES];
	size_t used = 0;

	/* A name must not take longer than the servers may. */
	if (res_init() == 0) {
		_res.retrans = 1;
		_res.retry = 2;
	}
	for (size_t i = 0; i < count; i++)
		used = begin_all(servers[i], options->port, exchanges, answers, used);
	converse(exchanges, used, options);
	for (size_t i = 0; i < used; i++)
		end(&exchanges[i]);
	return used;
}

bool sg_sntp_has_route(const char *address)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_DGRAM,
	};
	struct addrinfo *found = NULL;

	if (getaddrinfo(address, "123", &hints, &found) != 0)
		return false;
	sg_auto_close int descriptor =
		socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool routed = descriptor >= 0 &&
	              connect(descriptor, found->ai_addr, found->ai_addrlen) == 0;
	freeaddrinfo(found);
	return routed;
}
