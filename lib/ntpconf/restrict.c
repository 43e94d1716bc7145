/* SPDX-License-Identifier: MIT */
/*
 * Which restrict line decides for an address.
 *
 * ntpd keeps its restrictions sorted by address, then by mask; the first one
 * that matches decides alone, and lines for the same address and mask add up
 * (ntp_restrict.c, both daemons). It judges the replies of our own servers by
 * them too.
 */
#include "lines.h"

#include <arpa/inet.h>
#include <string.h>

#define MAX_ADDRESS 16

/* An address, or a set of them; a mask need not be contiguous. */
struct network {
	int family;
	unsigned char bytes[MAX_ADDRESS];
	unsigned char mask[MAX_ADDRESS];
};

static size_t family_size(int family)
{
	return family == AF_INET ? 4 : MAX_ADDRESS;
}

static int family_of(const char *text)
{
	return strchr(text, ':') == NULL ? AF_INET : AF_INET6;
}

/* The mask whose leading `bits` count. */
static void set_prefix(struct network *network, unsigned bits)
{
	for (unsigned i = 0; i < MAX_ADDRESS; i++) {
		unsigned rest = bits > i * 8 ? bits - i * 8 : 0;

		network->mask[i] =
			(unsigned char)(rest >= 8 ? 0xff : 0xff00U >> rest & 0xff);
	}
}

/* `10.0.0.0`, or ntpsec's `10.0.0.0/8`. */
static bool parse_network(const char *text, struct network *network)
{
	const char *slash = strchr(text, '/');
	sg_auto_free char *address =
		slash == NULL ? strdup(text) : strndup(text, (size_t)(slash - text));

	if (address == NULL)
		return false;
	network->family = family_of(address);
	unsigned long bits = family_size(network->family) * 8;
	if (inet_pton(network->family, address, network->bytes) != 1)
		return false;
	if (slash != NULL) {
		char *end = NULL;
		unsigned long number = strtoul(slash + 1, &end, 10);

		if (end == slash + 1 || *end != '\0' || number > bits)
			return false;
		bits = number;
	}
	set_prefix(network, (unsigned)bits);
	return true;
}

static bool covers(const struct network *network, const struct network *address)
{
	for (size_t i = 0; i < family_size(network->family); i++)
		if (((network->bytes[i] ^ address->bytes[i]) & network->mask[i]) != 0)
			return false;
	return network->family == address->family;
}

/* Whether the mask leaves one address. */
static bool is_host(const struct network *network)
{
	for (size_t i = 0; i < family_size(network->family); i++)
		if (network->mask[i] != 0xff)
			return false;
	return true;
}

/* Words of a restrict line. */
#define IGNORE 1U
#define NOSERVE 2U
#define NOTRUST 4U
#define NOQUERY 8U
#define NTPPORT                                                                \
	16U /* the rule is for packets from port 123, as servers' are              \
	     */
#define OTHER 32U

static unsigned flag_of(const char *word)
{
	static const struct {
		const char *word;
		unsigned flag;
	} table[] = {
		{"ignore", IGNORE},   {"noserve", NOSERVE}, {"notrust", NOTRUST},
		{"noquery", NOQUERY}, {"ntpport", NTPPORT},
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(word, table[i].word) == 0)
			return table[i].flag;
	return OTHER;
}

static unsigned effects_of(unsigned flags)
{
	return ((flags & (IGNORE | NOSERVE | NOTRUST)) ? SG_DROPS_REPLIES : 0) |
	       ((flags & (IGNORE | NOQUERY)) ? SG_DROPS_QUERIES : 0);
}

/* A restrict or unrestrict line, taken apart; or what several of them add up
 * to. */
struct rule {
	const struct sg_line *line;
	bool source; /* `restrict source`: for every server that has no own line */
	struct network network;
	unsigned flags;
};

/* Reads the line as far as it is for `family`; false when it is for another
 * one, or for a name, which ntpd alone can resolve. */
static bool parse_rule(const struct sg_line *line, int family,
                       struct rule *rule)
{
	size_t at = 1;

	*rule = (struct rule){.line = line, .network = {.family = family}};
	if (line->word_count > at && (strcmp(line->words[at], "-4") == 0 ||
	                              strcmp(line->words[at], "-6") == 0)) {
		if ((line->words[at][1] == '4') != (family == AF_INET))
			return false;
		at++;
	}
	if (line->word_count <= at)
		return false;
	const char *what = line->words[at++];
	rule->source = strcmp(what, "source") == 0;
	if (!rule->source && strcmp(what, "default") != 0 &&
	    (!parse_network(what, &rule->network) ||
	     rule->network.family != family))
		return false;
	if (line->word_count > at + 1 && strcmp(line->words[at], "mask") == 0) {
		if (inet_pton(family, line->words[at + 1], rule->network.mask) != 1)
			return false;
		at += 2;
	}
	for (; at < line->word_count; at++)
		rule->flags |= flag_of(line->words[at]);
	return true;
}

/* The rules that match one address, as ntpd adds them up. */
struct table {
	struct rule *rules;
	size_t count;
};

/* The rule for the same addresses; those that match differ in the mask only. */
static struct rule *find_rule(const struct table *table,
                              const struct rule *rule)
{
	for (size_t i = 0; i < table->count; i++)
		if (memcmp(table->rules[i].network.mask, rule->network.mask,
		           MAX_ADDRESS) == 0 &&
		    (table->rules[i].flags & NTPPORT) == (rule->flags & NTPPORT))
			return &table->rules[i];
	return NULL;
}

static void add_rule(struct table *table, const struct rule *rule)
{
	struct rule *same = find_rule(table, rule);

	if (same == NULL) {
		table->rules[table->count++] = *rule;
		return;
	}
	same->flags |= rule->flags;
	if (same->line == NULL || effects_of(rule->flags) != 0)
		same->line = rule->line;
}

/* `unrestrict` takes the words back that it names, or without any the whole
 * rule, but never the default, which is the table's first. */
static void remove_rule(struct table *table, const struct rule *rule)
{
	struct rule *same = find_rule(table, rule);

	if (same == NULL)
		return;
	if (rule->flags != 0)
		same->flags &= ~rule->flags | NTPPORT;
	else if (same != table->rules)
		*same = table->rules[--table->count];
}

/* Whether `rule` comes before `other` in ntpd's order. */
static bool precedes(const struct rule *rule, const struct rule *other,
                     const struct network *address)
{
	size_t size = family_size(address->family);

	for (size_t i = 0; i < size; i++) {
		int one = rule->network.mask[i] & address->bytes[i];
		int two = other->network.mask[i] & address->bytes[i];

		if (one != two)
			return one > two;
	}
	int order = memcmp(rule->network.mask, other->network.mask, size);
	return order != 0 ? order > 0 : (rule->flags & NTPPORT) != 0;
}

static struct rule first_rule(const struct table *table,
                              const struct network *address, bool is_server)
{
	struct rule first = table->rules[0];

	for (size_t i = 1; i < table->count; i++)
		if ((is_server || !(table->rules[i].flags & NTPPORT)) &&
		    precedes(&table->rules[i], &first, address))
			first = table->rules[i];
	return first;
}

static struct sg_restriction decide(const struct network *address,
                                    bool is_server,
                                    const struct sg_line *const *lines,
                                    size_t count)
{
	sg_auto_free struct rule *rules = calloc(count + 1, sizeof *rules);
	struct table table = {rules, 1};
	struct rule source = {0};
	struct rule rule;

	/* Without memory nothing is known; what we add then does no harm. */
	if (rules == NULL)
		return (struct sg_restriction){.effects =
		                                   SG_DROPS_REPLIES | SG_DROPS_QUERIES};
	/* ntpsec's default; a `restrict default` line adds to it. */
	rules[0] =
		(struct rule){.network = {.family = address->family}, .flags = NOQUERY};
	for (size_t i = 0; i < count; i++) {
		bool removes = sg_line_is(lines[i], "unrestrict");

		if ((!removes && !sg_line_is(lines[i], "restrict")) ||
		    !parse_rule(lines[i], address->family, &rule))
			continue;
		if (rule.source)
			source = rule;
		else if (covers(&rule.network, address))
			(removes ? remove_rule : add_rule)(&table, &rule);
	}
	rule = first_rule(&table, address, is_server);
	bool own = is_host(&rule.network);
	/* ntpd makes a hole of its own for its servers, where no line forbids; not
	 * every release makes one for noserve alone. */
	if (is_server && source.line != NULL && !own) {
		rule.line = source.line;
		rule.flags = source.flags | (rule.flags & NOSERVE);
	}
	return (struct sg_restriction){
		.line = rule.line, .effects = effects_of(rule.flags), .own = own};
}

struct sg_restriction sg_restriction_for(const char *address, bool is_server,
                                         const struct sg_line *const *lines,
                                         size_t count)
{
	struct network wanted = {.family = family_of(address)};

	if (inet_pton(wanted.family, address, wanted.bytes) == 1)
		return decide(&wanted, is_server, lines, count);

	/* A name: the address is not known, so either family's default may be the
	 * one that decides. An all-zero address is in no network but that. */
	struct network any4 = {.family = AF_INET};
	struct network any6 = {.family = AF_INET6};
	struct sg_restriction four = decide(&any4, is_server, lines, count);

	return four.effects & SG_DROPS_REPLIES
	           ? four
	           : decide(&any6, is_server, lines, count);
}
