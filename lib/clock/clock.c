/* SPDX-License-Identifier: MIT */
/*
 * What this host's clock is worth: by a measurement that was left in a record,
 * or by the kernel's own word.
 *
 * The record outranks the kernel. A kernel goes on reading "synchronised" for
 * hours after its daemon has died, and reads the contrary for minutes after
 * classic ntpd has started.
 */
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

/* systemd's rule for NTPSynchronized (timedatectl(1)). */
#define KERNEL_LIMIT (16 * SG_SECOND)

/* What ntpd starts with, and keeps while it follows nobody: 16 s by its own
 * reckoning (RFC 5905 appendix A.1.1, MAXDISP), which the kernel takes for
 * microseconds. */
#define NO_ESTIMATE 16

/* A timer writes the record every minute; one of this age is not believed. */
#define MAX_AGE (300 * SG_SECOND)

/* A record has some three hundred bytes. */
#define MAX_RECORD ((size_t)4096)

/* What a clock may wander in a second: as fast as ntpd slews it, and as the
 * kernel reckons (RFC 5905 section 11.3, MAXFREQ). */
#define MICROSECONDS_PER_SECOND 500

/* A measurement that is off by more is none. */
#define MAX_OFFSET ((json_int_t)SG_TIME_LAST)

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_SIZE 40

const char *sg_clock_state_name(enum sg_clock_state state)
{
	static const char *const names[] = {
		[SG_CLOCK_UNKNOWN] = "unknown",
		[SG_CLOCK_SYNCHRONISED] = "synchronised",
		[SG_CLOCK_UNSYNCHRONISED] = "unsynchronised",
	};

	return names[state];
}

void sg_clock_ask_kernel(struct sg_clock *clock)
{
	struct timex kernel = {.modes = 0};

	*clock = (struct sg_clock){.state = SG_CLOCK_UNKNOWN};
	if (adjtimex(&kernel) < 0)
		return;
	sg_usec bound = kernel.maxerror;
	if (bound >= KERNEL_LIMIT) {
		clock->state = SG_CLOCK_UNSYNCHRONISED;
		return;
	}
	if (kernel.esterror == NO_ESTIMATE)
		return;
	clock->state = SG_CLOCK_SYNCHRONISED;
	clock->bounded = bound > 0 && kernel.esterror > 0;
	clock->bound = clock->bounded ? bound : 0;
}

/* ---- the record --------------------------------------------------------- */

static int read_boot_id(char boot_id[BOOT_ID_SIZE])
{
	sg_auto_close int file = open(BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t size = file < 0 ? -1 : read(file, boot_id, BOOT_ID_SIZE - 1);

	if (size <= 0)
		return -1;
	boot_id[size] = '\0';
	boot_id[strcspn(boot_id, "\n")] = '\0';
	return 0;
}

/* A measurement, as the record has it. */
struct record {
	json_int_t offset;
	json_int_t bound;
	int daemon_gone;
	json_int_t boot_time;       /* at the measurement */
	json_int_t boot_difference; /* real time less boot time, then */
	const char *boot_id;        /* in the JSON */
};

static int unpack(json_t *json, struct record *record)
{
	const char *server = NULL;

	if (json_unpack(json, "{s:s, s:I, s:I, s:b, s:s, s:I, s:I !}", "server",
	                &server, "offset_us", &record->offset, "bound_us",
	                &record->bound, "daemon_gone", &record->daemon_gone,
	                "boot_id", &record->boot_id, "boottime_us",
	                &record->boot_time, "realtime_minus_boottime_us",
	                &record->boot_difference) != 0)
		return -1;
	/* Numbers that sums of them cannot overflow with. */
	return record->offset >= -MAX_OFFSET && record->offset <= MAX_OFFSET &&
	               record->bound >= 0 && record->bound <= MAX_OFFSET &&
	               record->boot_time >= 0 && record->boot_time <= MAX_OFFSET &&
	               record->boot_difference >= -MAX_OFFSET &&
	               record->boot_difference <= MAX_OFFSET
	           ? 0
	           : -1;
}

static int check_freshness(const struct record *record, sg_usec now,
                           const char *path, struct sg_error *error)
{
	char boot_id[BOOT_ID_SIZE] = "";

	if (read_boot_id(boot_id) != 0 || strcmp(boot_id, record->boot_id) != 0)
		return sg_fail(
			error, "record-stale",
			"%s is of another boot; see whether skewgate-clock.timer "
			"runs",
			path);
	if (record->boot_time > now)
		return sg_fail(error, "record-malformed",
		               "%s was written in the future; remove it", path);
	if (now - record->boot_time >= MAX_AGE)
		return sg_fail(
			error, "record-stale",
			"%s is %lld s old; see whether skewgate-clock.timer runs", path,
			(long long)((now - record->boot_time) / SG_SECOND));
	return 0;
}

static void apply(const struct record *record, sg_usec now,
                  struct sg_clock *clock)
{
	sg_usec age = now - record->boot_time;
	sg_usec stepped = sg_time_now() - now - record->boot_difference;

	clock->measured = true;
	clock->bounded = true;
	clock->offset = record->offset - stepped;
	clock->bound = record->bound + age * MICROSECONDS_PER_SECOND / SG_SECOND;
	clock->daemon_gone = record->daemon_gone;
	clock->state = !clock->daemon_gone &&
	                       clock->offset <= SG_SYNCHRONISED_OFFSET &&
	                       clock->offset >= -SG_SYNCHRONISED_OFFSET
	                   ? SG_CLOCK_SYNCHRONISED
	                   : SG_CLOCK_UNSYNCHRONISED;
}

static int judge_record(const char *path, struct sg_clock *clock,
                        struct sg_error *error)
{
	sg_auto_free char *bytes = NULL;
	struct record record = {0};
	size_t size = 0;

	if (sg_trusted_read(path, MAX_RECORD, &bytes, &size, error) != 0)
		return -1;
	json_auto_t *json = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL);
	if (json == NULL || unpack(json, &record) != 0)
		return sg_fail(error, "record-malformed",
		               "%s is not what skewgate status --record writes; remove "
		               "it",
		               path);
	sg_usec now = sg_time_since_boot();
	if (check_freshness(&record, now, path, error) != 0)
		return -1;
	apply(&record, now, clock);
	return 0;
}

void sg_clock_judge(const char *record, struct sg_clock *clock)
{
	struct sg_error error = {0};

	sg_clock_ask_kernel(clock);
	if (judge_record(record, clock, &error) == 0)
		return;
	clock->record = error;
	if (strcmp(error.code, "file-missing") == 0)
		sg_fail(
			&clock->record, "record-missing",
			"there is no clock record %s; let skewgate-clock.timer write one",
			record);
}

int sg_clock_store(const char *record, const struct sg_measurement *measurement,
                   struct sg_error *error)
{
	char boot_id[BOOT_ID_SIZE] = "";
	sg_usec now = sg_time_since_boot();

	if (read_boot_id(boot_id) != 0)
		return sg_fail(error, "internal", "%s cannot be read: %s", BOOT_ID_FILE,
		               strerror(errno));
	json_auto_t *json = json_pack(
		"{s:s, s:I, s:I, s:b, s:s, s:I, s:I}", "server", measurement->server,
		"offset_us", (json_int_t)measurement->offset, "bound_us",
		(json_int_t)measurement->bound, "daemon_gone", measurement->daemon_gone,
		"boot_id", boot_id, "boottime_us", (json_int_t)now,
		"realtime_minus_boottime_us", (json_int_t)(sg_time_now() - now));
	sg_auto_free char *text =
		json == NULL ? NULL : json_dumps(json, JSON_INDENT(1));
	if (text == NULL)
		return sg_fail_memory(error);
	return sg_file_store(-1, record, 0644, text, strlen(text), error);
}
