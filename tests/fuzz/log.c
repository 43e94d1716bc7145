/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the log that `skewgate skew` reads: what it counts is what an
 * oracle counts that takes the log apart by itself, and of what it prints, in
 * words or as JSON, no byte is other than printable ASCII.
 */
#include "fuzz.h"

#include "tools/cmd_skew.c"

#include <ctype.h>

/* Its own is that of the tools, which are not needed here. */
int print_json(json_t *value, size_t digits)
{
	expect(value != NULL);
	int failed = json_dumpf(value, stdout, JSON_REAL_PRECISION(digits));
	json_decref(value);
	return failed;
}

/* ---- the oracle --------------------------------------------------------- */

struct counts {
	unsigned long long counted, future, foreign;
};

static bool is_alphabet(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (isalnum((unsigned char)text[i]) != 0 && text[i] > 0)
			continue;
		if (text[i] > 0 && strchr("._:/@+-", text[i]) != NULL)
			continue;
		if (text[i] != '%')
			return false;
		if (size - i >= 3 && isxdigit((unsigned char)text[i + 1]) != 0 &&
		    isxdigit((unsigned char)text[i + 2]) != 0 &&
		    islower((unsigned char)text[i + 1]) == 0 &&
		    islower((unsigned char)text[i + 2]) == 0)
			i += 2;
		else if (i + 1 < size || size < 126)
			return false;
	}
	return size <= 128;
}

/* Microseconds of digits with at most one point between them; -1: none. */
static long long to_time(const char *text, size_t size)
{
	long long time = 0;
	int decimals = -1;

	if (size == 0 || size > 31 || text[0] == '.' || text[size - 1] == '.')
		return -1;
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '.' && decimals < 0)
			decimals = 0;
		else if (text[i] < '0' || text[i] > '9')
			return -1;
		else if (decimals < 6)
			time = time * 10 + (text[i] - '0');
		if (text[i] != '.' && decimals >= 0)
			decimals++;
		if (decimals < 0 && time > 253402300799)
			return -1;
	}
	for (int i = decimals < 0 ? 0 : decimals; i < 6; i++)
		time *= 10;
	return time;
}

static void count_line(const char *line, size_t size, struct counts *counts)
{
	static const char *const names[] = {"kid=", "iss=", "iat=", "now="};
	const char *values[4] = {"", NULL, NULL, NULL};
	size_t sizes[4] = {0};
	size_t next = 0;

	if (size < 13 || memcmp(line, "pam_skewgate(", 13) != 0)
		return;
	for (size_t begin = 0, end = 0; end <= size; end++) {
		if (end < size && line[end] != ' ')
			continue;
		for (size_t i = next; i < 4 && begin > 0; i++)
			if (end - begin >= 4 && memcmp(line + begin, names[i], 4) == 0) {
				values[i] = line + begin + 4;
				sizes[i] = end - begin - 4;
				next = i + 1;
				break;
			}
		begin = end + 1;
	}
	if (values[1] == NULL || values[2] == NULL || values[3] == NULL)
		return;
	long long issued = to_time(values[2], sizes[2]);
	long long now = to_time(values[3], sizes[3]);
	if (issued < 0 || now < 0 || !is_alphabet(values[0], sizes[0]) ||
	    !is_alphabet(values[1], sizes[1])) {
		counts->foreign++;
		return;
	}
	counts->counted++;
	counts->future += now < issued ? 1 : 0;
}

static void count(const char *text, size_t size, struct counts *counts)
{
	for (size_t begin = 0, end = 0; end <= size; end++) {
		if (end < size && text[end] != '\n')
			continue;
		count_line(text + begin, end - begin, counts);
		begin = end + 1;
	}
}

/* ---- the target --------------------------------------------------------- */

static void expect_printable(const struct tally *tally, bool json)
{
	FILE *screen = stdout;
	char *text = NULL;
	size_t size = 0;

	stdout = open_memstream(&text, &size);
	expect(stdout != NULL && tell(tally, json) == 0 && fclose(stdout) == 0);
	stdout = screen;
	for (size_t i = 0; i < size; i++)
		expect((text[i] >= ' ' && text[i] <= '~') || text[i] == '\n');
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tally tally;
	struct counts counts = {0};
	unsigned long long counted = 0;
	unsigned long long future = 0;
	/* fmemopen(3) takes no empty buffer. */
	FILE *file =
		fmemopen((void *)(uintptr_t)(size > 0 ? data : (const uint8_t *)"\n"),
	             size > 0 ? size : 1, "r");

	expect(file != NULL);
	tally = (struct tally){0};
	expect(read_log(file, &tally) == 0);
	fclose(file);
	count((const char *)data, size, &counts);
	for (size_t i = 0; i <= MAX_PAIRS; i++) {
		const struct pair *pair = &tally.pairs[i];
		unsigned long long spread = pair->future;

		for (size_t k = 0; k < BUCKETS; k++)
			spread += pair->histogram[k];
		expect(spread == pair->count);
		expect((pair->least < 0) == (pair->future > 0));
		counted += pair->count;
		future += pair->future;
	}
	expect(counted == counts.counted && future == counts.future &&
	       tally.foreign == counts.foreign);
	expect_printable(&tally, false);
	expect_printable(&tally, true);
	return 0;
}
