/* SPDX-License-Identifier: MIT */
/*
 * skewgate skew: what the log of many logins says of each issuer's clock.
 *
 * A token that was issued in the future proves that its issuer's clock is ahead
 * of this host's. The contrary proves nothing: a slow issuer's tokens look like
 * older ones. So the verdict comes from the least age alone.
 *
 * Only lines with a valid signature count, and only those that begin with the
 * module's own name and are written in its alphabet: sshd logs user names that
 * anybody may choose, and the journal takes lines from every user.
 */
#include "tools.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What the log is read with: sshd's lines, and none that another user has sent
 * under its name. */
#define JOURNAL "journalctl -o cat _UID=0 -t sshd -t sshd-session"

/* Pairs that are told apart; a log has a few. */
#define MAX_PAIRS 256

/* As the module cuts values. */
#define MAX_VALUE 128

/* A line of the module has some 700 bytes; the more at once, the faster. */
#define BUFFER_SIZE ((size_t)256 * 1024)

/* Ages of up to 1 s, 2 s, 4 s, ...; the last one is for all above. */
#define BUCKETS 20

/* The tokens of one issuer and key. */
struct pair {
	char issuer[MAX_VALUE + 1];
	char key[MAX_VALUE + 1];
	unsigned long long count;
	unsigned long long future; /* issued after they were seen */
	sg_usec least;             /* now - iat */
	unsigned long long histogram[BUCKETS];
};

struct tally {
	struct pair pairs[MAX_PAIRS + 1]; /* the last is all others together */
	size_t count;
	struct pair *last;          /* lines of one issuer come together */
	unsigned long long foreign; /* lines that only look like the module's */
};

/* ---- lines -------------------------------------------------------------- */

/* The fields that count, in the order that the module writes them. */
enum { KEY, ISSUER, ISSUED, NOW, FIELDS };

struct field {
	const char *text; /* NULL: the line does not have it */
	size_t size;
};

/* Finds the fields of a line; one that is out of order is not the module's. */
static void find_fields(const char *line, size_t size,
                        struct field fields[FIELDS])
{
	static const char *const names[] = {"kid=", "iss=", "iat=", "now="};
	const size_t length = strlen("kid=");
	const char *end = line + size;
	const char *blank = memchr(line, ' ', size);
	size_t next = KEY;

	while (blank != NULL && next < FIELDS) {
		const char *word = blank + 1;

		blank = memchr(word, ' ', (size_t)(end - word));
		const char *last = blank != NULL ? blank : end;
		if ((size_t)(last - word) < length || word[length - 1] != '=')
			continue;
		for (size_t i = next; i < FIELDS; i++)
			if (memcmp(word, names[i], length) == 0) {
				fields[i] = (struct field){word + length,
				                           (size_t)(last - word) - length};
				next = i + 1;
				break;
			}
	}
}

static bool is_plain(char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= '0' && byte <= '9') ||
	       (byte != '\0' && strchr("._:/@+-", byte) != NULL);
}

static bool is_hex(char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'F');
}

/* Whether the module can have written the value: in its alphabet, all else as
 * %XX; one that it has cut ends with a bare %. */
static bool is_written(const struct field *field)
{
	const char *end = field->text + field->size;

	if (field->size > MAX_VALUE)
		return false;
	for (const char *next = field->text; next < end; next++) {
		if (is_plain(*next))
			continue;
		bool cut = next + 1 == end && field->size > MAX_VALUE - 3;
		bool escape = end - next > 2 && is_hex(next[1]) && is_hex(next[2]);
		if (*next != '%' || !(cut || escape))
			return false;
	}
	return true;
}

/* The time in a field; -1: it is none. */
static sg_usec read_time(const struct field *field)
{
	char text[SG_TIME_SIZE];
	sg_usec time = -1;

	/* A NUL would end the string before the field does. */
	if (field->size >= sizeof text ||
	    memchr(field->text, '\0', field->size) != NULL)
		return -1;
	memcpy(text, field->text, field->size);
	text[field->size] = '\0';
	return sg_time_parse_seconds(text, &time) ? time : -1;
}

static bool is_value(const char *stored, const struct field *field)
{
	return memcmp(stored, field->text, field->size) == 0 &&
	       stored[field->size] == '\0';
}

static bool is_pair(const struct pair *pair, const struct field *fields)
{
	return is_value(pair->issuer, &fields[ISSUER]) &&
	       is_value(pair->key, &fields[KEY]);
}

static struct pair *find_pair(struct tally *tally, const struct field *fields)
{
	if (tally->last != NULL && is_pair(tally->last, fields))
		return tally->last;
	for (size_t i = 0; i < tally->count; i++)
		if (is_pair(&tally->pairs[i], fields))
			return &tally->pairs[i];
	struct pair *pair = &tally->pairs[tally->count];
	if (tally->count == MAX_PAIRS) {
		snprintf(pair->issuer, sizeof pair->issuer, "other");
		return pair;
	}
	tally->count++;
	memcpy(pair->issuer, fields[ISSUER].text, fields[ISSUER].size);
	memcpy(pair->key, fields[KEY].text, fields[KEY].size);
	return pair;
}

static void add(struct pair *pair, sg_usec age)
{
	size_t bucket = 0;

	if (pair->count == 0 || age < pair->least)
		pair->least = age;
	pair->count++;
	if (age < 0) {
		pair->future++;
		return;
	}
	while (bucket < BUCKETS - 1 && age >= (SG_SECOND << bucket))
		bucket++;
	pair->histogram[bucket]++;
}

static void read_line(struct tally *tally, const char *line, size_t size)
{
	static const char module[] = "pam_skewgate(";
	struct field fields[FIELDS] = {[KEY] = {"", 0}};

	if (size < strlen(module) || memcmp(line, module, strlen(module)) != 0)
		return;
	find_fields(line, size, fields);
	/* Without a valid signature there is no iat. */
	if (fields[ISSUER].text == NULL || fields[ISSUED].text == NULL ||
	    fields[NOW].text == NULL)
		return;
	sg_usec issued = read_time(&fields[ISSUED]);
	sg_usec now = read_time(&fields[NOW]);
	if (issued < 0 || now < 0 || !is_written(&fields[ISSUER]) ||
	    !is_written(&fields[KEY])) {
		tally->foreign++;
		return;
	}
	tally->last = find_pair(tally, fields);
	add(tally->last, now - issued);
}

/* Reads all lines; of what does not fit, one longer than any of the module's,
 * nothing counts. */
static int read_log(FILE *file, struct tally *tally)
{
	static char buffer[BUFFER_SIZE];
	size_t held = 0;
	bool cut = false; /* the line began before the buffer does */
	size_t got;

	while ((got = fread(buffer + held, 1, sizeof buffer - held, file)) > 0) {
		const char *line = buffer;
		const char *end = buffer + held + got;
		const char *next;

		while ((next = memchr(line, '\n', (size_t)(end - line))) != NULL) {
			if (!cut)
				read_line(tally, line, (size_t)(next - line));
			cut = false;
			line = next + 1;
		}
		held = (size_t)(end - line);
		cut = cut || held == sizeof buffer;
		if (held == sizeof buffer)
			held = 0;
		else
			memmove(buffer, line, held);
	}
	if (held > 0 && !cut)
		read_line(tally, buffer, held);
	return ferror(file) ? -1 : 0;
}

/* ---- the report --------------------------------------------------------- */

static void print_pair(const struct pair *pair)
{
	unsigned long long most = 1;

	printf("%s%s%s: %llu tokens\n", pair->issuer,
	       pair->key[0] != '\0' ? ", key " : "", pair->key, pair->count);
	if (pair->least < 0)
		printf("  ahead of this host by %.3f s or more; %llu tokens (%.1f %%) "
		       "were from the future\n",
		       (double)-pair->least / 1e6, pair->future,
		       100.0 * (double)pair->future / (double)pair->count);
	else
		printf(
			"  not ahead (the youngest was %.3f s old); a slow issuer cannot "
			"be told from older tokens\n",
			(double)pair->least / 1e6);
	for (size_t i = 0; i < BUCKETS; i++)
		if (pair->histogram[i] > most)
			most = pair->histogram[i];
	for (size_t i = 0; i < BUCKETS; i++)
		if (pair->histogram[i] > 0)
			printf("  %s %6lld s  %10llu  %.*s\n",
			       i < BUCKETS - 1 ? "under" : "from ",
			       1LL << (i < BUCKETS - 1 ? i : i - 1), pair->histogram[i],
			       (int)(40 * pair->histogram[i] / most),
			       "########################################");
}

static json_t *pair_json(const struct pair *pair)
{
	json_t *histogram = json_array();

	for (size_t i = 0; i < BUCKETS; i++)
		json_array_append_new(
			histogram,
			json_pack("{s:o, s:I}", "under_s",
		              i < BUCKETS - 1 ? json_integer(1LL << i) : json_null(),
		              "count", (json_int_t)pair->histogram[i]));
	return json_pack(
		"{s:s, s:s, s:I, s:I, s:f, s:b, s:f, s:o}", "issuer", pair->issuer,
		"key", pair->key, "count", (json_int_t)pair->count, "future",
		(json_int_t)pair->future, "least_age_s", (double)pair->least / 1e6,
		"ahead", pair->least < 0, "ahead_s",
		pair->least < 0 ? (double)-pair->least / 1e6 : 0.0, "histogram",
		histogram);
}

static int tell(const struct tally *tally, bool json)
{
	size_t count = tally->count + (tally->pairs[MAX_PAIRS].count > 0 ? 1 : 0);

	if (json) {
		json_t *array = json_array();

		for (size_t i = 0; i < count; i++)
			json_array_append_new(array, pair_json(&tally->pairs[i]));
		return print_json(array, DIGITS_OF_OFFSET);
	}
	for (size_t i = 0; i < count; i++)
		print_pair(&tally->pairs[i]);
	if (count == 0)
		printf("no line of pam_skewgate with a valid signature; is this the "
		       "output of " JOURNAL "?\n");
	return fflush(stdout);
}

int cmd_skew(const struct options *options)
{
	static struct tally tally; /* zeros; too large for the stack */
	const char *path = options->operand_count > 0 ? options->operands[0] : NULL;
	bool is_stdin = path == NULL || strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	int failed = file == NULL ? -1 : read_log(file, &tally);
	if (failed != 0)
		fprintf(stderr,
		        "skewgate: the log cannot be read from %s: %s; name a file, or "
		        "pipe it in [log-unreadable]\n",
		        is_stdin ? "standard input" : path, strerror(errno));
	if (file != NULL && !is_stdin)
		fclose(file);
	if (failed != 0)
		return EXIT_USAGE;
	if (tally.foreign > 0)
		fprintf(stderr,
		        "skewgate: warning: %llu lines look like the module's and are "
		        "not, so they do not count; read the log with " JOURNAL
		        " [foreign-lines]\n",
		        tally.foreign);
	if (tell(&tally, options->json) == 0)
		return EXIT_DONE;
	fputs("skewgate: the result could not be written\n", stderr);
	return EXIT_INTERNAL;
}
