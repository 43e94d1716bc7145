/*
 * Which restrict line decides for an address.
 *
 * ntpd keeps its restrictions sorted so that the most specific one that matches
 * decides alone; lines for the same address and mask add up (ntp_restrict.c,
 * both daemons). It judges the replies of our own servers by them too.
 */
#include "lines.h"

#include <arpa/inet.h>
#include <string.h>

#define MAX_ADDRESS 16

/* An address, or a set of them, and how many of its leading bits count. */
struct network {
	int family;
	unsigned char bytes[MAX_ADDRESS];
	unsigned bits;
};

static unsigned family_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

static bool parse_address(const char *text, struct network *network)
{
	network->family = strchr(text, ':') == NULL ? AF_INET : AF_INET6;
	network->bits = family_bits(network->family);
	return inet_pton(network->family, text, network->bytes) == 1;
}

static unsigned mask_bits(const struct network *mask)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < family_bits(mask->family) / 8; i++)
		bits += (unsigned)__builtin_popcount(mask->bytes[i]);
	return bits;
}

/* `10.0.0.0`, or ntpsec's `10.0.0.0/8`. */
static bool parse_network(const char *text, struct network *network)
{
	const char *slash = strchr(text, '/');
	sg_auto_free char *address =
		slash == NULL ? strdup(text) : strndup(text, (size_t)(slash - text));

	if (address == NULL || !parse_address(address, network))
		return false;
	if (slash != NULL) {
		char *end = NULL;
		unsigned long bits = strtoul(slash + 1, &end, 10);

		if (end == slash + 1 || *end != '\0' || bits > network->bits)
			return false;
		network->bits = (unsigned)bits;
	}
	return true;
}

static bool covers(const struct network *network, const struct network *address)
{
	unsigned whole = network->bits / 8;
	unsigned rest = network->bits % 8;

	if (network->family != address->family ||
	    memcmp(network->bytes, address->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	       (network->bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

static unsigned effect_of(const char *flag)
{
	static const struct {
		const char *flag;
		unsigned effects;
	} table[] = {
		{"ignore", SG_DROPS_REPLIES | SG_DROPS_QUERIES},
		{"noserve", SG_DROPS_REPLIES},
		{"notrust", SG_DROPS_REPLIES},
		{"noquery", SG_DROPS_QUERIES},
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(flag, table[i].flag) == 0)
			return table[i].effects;
	return 0;
}

/* A restrict line, taken apart. */
struct rule {
	bool source; /* `restrict source`: for every server that has no own line */
	struct network network;
	unsigned effects;
};

/* Reads the line as far as it is for `family`; false when it is for another
 * one, or for a name, which ntpd alone can resolve. */
static bool parse_rule(const struct sg_line *line, int family,
                       struct rule *rule)
{
	size_t at = 1;

	*rule = (struct rule){.network = {.family = family}};
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
		struct network mask;

		if (!parse_address(line->words[at + 1], &mask) || mask.family != family)
			return false;
		rule->network.bits = mask_bits(&mask);
		at += 2;
	}
	for (; at < line->word_count; at++)
		rule->effects |= effect_of(line->words[at]);
	return true;
}

static struct sg_restriction decide(const struct network *address,
                                    bool is_server,
                                    const struct sg_line *const *lines,
                                    size_t count)
{
	struct sg_restriction best = {0};
	struct sg_restriction source = {0};
	unsigned best_bits = 0;

	for (size_t i = 0; i < count; i++) {
		struct rule rule;

		if (!sg_line_is(lines[i], "restrict") ||
		    !parse_rule(lines[i], address->family, &rule))
			continue;
		if (rule.source) {
			source.line = lines[i];
			source.effects |= rule.effects;
			continue;
		}
		if (!covers(&rule.network, address) ||
		    (best.line != NULL && rule.network.bits < best_bits))
			continue;
		if (best.line == NULL || rule.network.bits > best_bits)
			best = (struct sg_restriction){0};
		if (best.line == NULL || rule.effects != 0)
			best.line = lines[i];
		best.effects |= rule.effects;
		best_bits = rule.network.bits;
		best.own = best_bits == family_bits(address->family);
	}
	/* ntpd makes a hole of its own for its servers, where no line forbids. */
	if (is_server && source.line != NULL && !best.own)
		return source;
	return best;
}

struct sg_restriction sg_restriction_for(const char *address, bool is_server,
                                         const struct sg_line *const *lines,
                                         size_t count)
{
	struct network wanted = {0};

	if (parse_address(address, &wanted))
		return decide(&wanted, is_server, lines, count);

	/* A name: the address is not known, so either family's default may be the
	 * one that decides. An all-zero address is in no network but that. */
	struct network any4 = {.family = AF_INET, .bits = 32};
	struct network any6 = {.family = AF_INET6, .bits = 128};
	struct sg_restriction four = decide(&any4, is_server, lines, count);

	return four.effects & SG_DROPS_REPLIES
	           ? four
	           : decide(&any6, is_server, lines, count);
}
