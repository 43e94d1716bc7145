/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the clock record: it is taken when it is an object of just these
 * seven members, each of its type and range, and of this boot and no older than
 * it may be; then no sum overflows, and the bound covers the record's own.
 */
#include "fuzz.h"

#include "lib/clock/clock.c"

#include <stdio.h>

#define LATEST (253402300799LL * 1000000)

static bool is_within(const json_t *json, const char *name, json_int_t least)
{
	const json_t *value = json_object_get(json, name);

	return json_is_integer(value) && json_integer_value(value) >= least &&
	       json_integer_value(value) <= LATEST;
}

/* The oracle. */
static bool is_record(const json_t *json)
{
	return json_is_object(json) && json_object_size(json) == 7 &&
	       json_is_string(json_object_get(json, "server")) &&
	       json_is_string(json_object_get(json, "boot_id")) &&
	       json_is_boolean(json_object_get(json, "daemon_gone")) &&
	       is_within(json, "offset_us", -LATEST) &&
	       is_within(json, "bound_us", 0) &&
	       is_within(json, "boottime_us", 0) &&
	       is_within(json, "realtime_minus_boottime_us", -LATEST);
}

static void check(const struct record *record, sg_usec now)
{
	const struct sg_clock nothing = {.state = SG_CLOCK_UNKNOWN};
	struct sg_clock clock = nothing;
	struct sg_error error = {0};
	char boot_id[BOOT_ID_SIZE] = "";
	sg_usec age = now - record->boot_time;

	expect(read_boot_id(boot_id) == 0);
	bool fresh = strcmp(record->boot_id, boot_id) == 0 && age >= 0 &&
	             age < 300 * SG_SECOND;
	expect((check_freshness(record, now, "/r", &error) == 0) == fresh);
	if (!fresh) {
		expect(strcmp(error.code, "record-stale") == 0 ||
		       strcmp(error.code, "record-malformed") == 0);
		return;
	}
	apply(record, now, &clock);
	expect(clock.measured && clock.bounded);
	expect(clock.bound >= record->bound &&
	       clock.bound <= record->bound + 300 * SG_SECOND / 2000);
	expect(clock.daemon_gone == (record->daemon_gone != 0));
	expect(clock.state != SG_CLOCK_SYNCHRONISED ||
	       (!clock.daemon_gone && llabs(clock.offset) <= 128000));
}

/* A record as the module reads it: with this boot's id in the place of `@`. */
static char *take_text(const uint8_t *data, size_t size, size_t *length)
{
	char boot_id[BOOT_ID_SIZE] = "";
	char *text = NULL;
	FILE *file = open_memstream(&text, length);

	expect(file != NULL && read_boot_id(boot_id) == 0);
	for (size_t i = 0; i < size; i++)
		if (data[i] == '@')
			fputs(boot_id, file);
		else
			fputc(data[i], file);
	expect(fclose(file) == 0);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The first byte is the time since boot: of a record of 1000 s, about. */
	sg_usec now = size > 0 ? (900 + 2 * (sg_usec)data[0]) * SG_SECOND : 0;
	struct record record = {0};
	size_t length = 0;

	if (size == 0)
		return 0;
	char *text = take_text(data + 1, size - 1, &length);
	json_auto_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	bool taken = json != NULL && unpack(json, &record) == 0;
	expect(taken == is_record(json));
	if (taken)
		check(&record, now);
	return 0;
}
