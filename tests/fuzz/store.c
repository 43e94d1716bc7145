/* SPDX-License-Identifier: MIT */
/*
 * Any order of logins, at clocks that are stepped to and fro: no token is
 * accepted twice, whatever was forgotten in between; explain's look says what
 * the login then gets; and a refusal leaves the directory as it was, but for
 * what was over.
 */
#include "fuzz.h"

#include "lib/gate/store.c"

#define TOKENS 4
#define LOGINS 16

static char store[64];

/* A directory of the fuzzer's own, which it empties for each input. */
static void clear(int directory)
{
	struct dirent **entries = NULL;
	int count = scandirat(directory, ".", &entries, NULL, NULL);

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			expect(unlinkat(directory, name, 0) == 0);
	}
	free_entries(entries, count);
}

static void empty_store(const char *part)
{
	int parent = -1;

	if (store[0] == '\0') {
		/* In memory: what a disk does is not asked here. */
		snprintf(store, sizeof store, "/dev/shm/skewgate-fuzz-XXXXXX");
		expect(mkdtemp(store) != NULL);
	}
	parent = open_directory(AT_FDCWD, store, false);
	expect(parent >= 0);
	int directory = openat(parent, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory >= 0) {
		clear(directory);
		close(directory);
		expect(unlinkat(parent, part, AT_REMOVEDIR) == 0);
	}
	close(parent);
}

static void remove_store(void)
{
	if (store[0] != '\0')
		(void)rmdir(store);
}

/* Logs in with a token of that number and end, unless its time is over. */
static void log_in(int number, sg_usec exp, sg_usec now,
                   sg_usec accepted[TOKENS][LOGINS], int counts[TOKENS])
{
	const char part[] = "ab";
	char name[NAME_SIZE];
	struct sg_error looked = {0};
	struct sg_error used = {0};
	sg_usec ends = exp + SG_MAX_LEEWAY;
	bool filling = false;
	bool known = false;

	if (now < 0 || now >= ends)
		return;
	memset(name, '0', sizeof name);
	memcpy(name, part, strlen(part));
	snprintf(name + NAME_SIZE - 3, 3, "%02d", number);
	for (int i = 0; i < counts[number]; i++)
		known = known || accepted[number][i] == exp;
	int first = look(store, name, ends, now, &looked);
	int second = use(store, name, ends, now, &filling, &used);
	expect(first == second && strcmp(looked.code, used.code) == 0);
	expect(second == 0 || strcmp(used.code, "replayed") == 0);
	expect(!(known && second == 0));
	if (second == 0)
		accepted[number][counts[number]++] = exp;
	else
		expect(look(store, name, ends, now, &looked) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const sg_usec start = 2000000000 * SG_SECOND;
	sg_usec accepted[TOKENS][LOGINS];
	int counts[TOKENS] = {0};
	struct input input = {data, size};

	if (store[0] == '\0')
		atexit(remove_store);
	empty_store("ab");
	for (int i = 0; i < LOGINS && input.size > 0; i++) {
		int number = take(&input) % TOKENS;
		/* Ends and clocks that meet often, and by less than a second. */
		sg_usec exp = start + (int8_t)take(&input) * 10 * SG_SECOND;
		uint8_t when = take(&input);
		sg_usec now =
			exp + SG_MAX_LEEWAY + (int8_t)take(&input) * 10 * SG_SECOND;

		log_in(number, exp, now - (when & 3), accepted, counts);
	}
	empty_store("ab");
	return 0;
}
