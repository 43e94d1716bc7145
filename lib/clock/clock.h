/* SPDX-License-Identifier: MIT */
/*
 * clock: what this host's clock is worth.
 *
 * It starts nothing and asks nobody: it reads a record, and the kernel's word.
 */
#ifndef SG_CLOCK_H
#define SG_CLOCK_H

#include "lib/base/base.h"

/* Where `skewgate status --record` leaves what it measured. */
#define SG_CLOCK_RECORD "/run/skewgate/clock.json"

/* Most that a clock may be off to count as synchronised: ntpd's own step
 * threshold (ntp.conf(5), tinker step). */
#define SG_SYNCHRONISED_OFFSET ((sg_usec)128000)

enum sg_clock_state {
	SG_CLOCK_UNKNOWN,
	SG_CLOCK_SYNCHRONISED,
	SG_CLOCK_UNSYNCHRONISED,
};

/* What this host's clock is worth. */
struct sg_clock {
	enum sg_clock_state state;
	bool measured;  /* `offset` is from a fresh record; else it is 0 */
	sg_usec offset; /* server - host: positive when this host is behind */
	bool bounded;   /* `bound` is known: the most that offset is wrong by */
	sg_usec bound;
	bool daemon_gone;       /* ntpd did not run when it was measured */
	struct sg_error record; /* why there is no fresh record */
};

/* "synchronised", "unsynchronised" or "unknown". */
const char *sg_clock_state_name(enum sg_clock_state state);

/*
 * The kernel's word (adjtimex(2) with modes 0, which needs no privilege): it is
 * synchronised while the error that it reckons with is below 16 s. Where it may
 * not be asked nothing is known. An estimate of zero is none, and no bound:
 * systemd-timesyncd writes that. Nor is one of 16 µs, with which ntpd starts: a
 * kernel that has it calls itself synchronised while ntpd follows nobody.
 */
void sg_clock_ask_kernel(struct sg_clock *clock);

/*
 * The host's clock by the record, when that is fresh: of this boot and less
 * than 300 s old. A step since then is seen, and corrected for. Otherwise the
 * kernel's word, and `record` says why: record-missing, record-stale,
 * record-malformed, or the code of sg_trusted_read.
 */
void sg_clock_judge(const char *record, struct sg_clock *clock);

/* What was measured of this host's clock. */
struct sg_measurement {
	const char *server; /* its address */
	sg_usec offset;     /* server - host: positive when the host is behind */
	sg_usec bound;      /* the most that offset is wrong by */
	bool daemon_gone;   /* nobody keeps the clock */
};

/*
 * Writes a measurement as the record, atomically. A clock that nobody keeps is
 * not synchronised, however right it still is. Error: file-unwritable.
 */
int sg_clock_store(const char *record, const struct sg_measurement *measurement,
                   struct sg_error *error);

#endif
