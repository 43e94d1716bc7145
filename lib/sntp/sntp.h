/* SPDX-License-Identifier: MIT */
/*
 * sntp: what time servers say, by SNTP.
 *
 * The only directory that opens sockets.
 */
#ifndef SG_SNTP_H
#define SG_SNTP_H

#include "lib/base/base.h"

#include <netinet/in.h>

#define SG_NTP_PORT 123

/* Most addresses that one query asks. */
#define SG_MAX_ADDRESSES 32

struct sg_sntp_options {
	unsigned samples;
	sg_usec limit; /* for all servers together */
	uint16_t port;
};

/* Four samples, five seconds, port 123. */
extern const struct sg_sntp_options sg_sntp_defaults;

/* One address's answer: the sample with the least delay. */
struct sg_sntp_answer {
	const char *server; /* as given */
	char address[INET6_ADDRSTRLEN];
	bool usable;           /* else only `error` and the two above are set */
	sg_usec offset;        /* server - host: positive when the host is behind */
	sg_usec delay;         /* round trip */
	sg_usec root_distance; /* RFC 5905 section 11.2: the most it can be off */
	int stratum;
	int leap; /* 0, 1 or 2: a leap second is announced */
	struct sg_error error;
};

/*
 * Asks every address of every server (RFC 5905 section 14, RFC 4330), all at
 * once; at most SG_MAX_ADDRESSES, which `answers` has room for. An address that
 * cannot be reached is tried again until the limit, except when another one of
 * its server (the same pointer) gives the time. Believed is only what can be.
 * Returns how many were asked. Codes of an answer's error: no-answer,
 * unreachable, unknown-name, kiss-of-death, not-synchronised, bad-reply,
 * too-distant.
 */
size_t sg_sntp_query(const char *const *servers, size_t count,
                     const struct sg_sntp_options *options,
                     struct sg_sntp_answer *answers);

/* Whether this host has a way to the numeric address, by connect(2) of a
 * datagram socket, which sends nothing. */
bool sg_sntp_has_route(const char *address);

#endif
