/* SPDX-License-Identifier: MIT */
/* The window as arithmetic, and the claims that it is made of. */
#include "check.h"

#include "lib/jwt/jwt.h"

#include <stdio.h>
#include <string.h>

#define SECOND SG_SECOND
#define T ((sg_usec)2000000000 * SECOND)

/* Leeway 5 s, max_age 100 s, max_lifetime 300 s. */
static const struct sg_window_rules rules = {5 * SECOND, 100 * SECOND,
                                             300 * SECOND};

static struct sg_claims make(sg_usec exp, sg_usec nbf, sg_usec iat)
{
	return (struct sg_claims){
		.expires = {true, exp},
		.not_before = {true, nbf},
		.issued = {true, iat},
	};
}

/* Each bound with what is outside of it, and the margin there. */
static void test_bounds(void **state)
{
	const struct {
		struct sg_claims claims;
		enum sg_window outside;
		bool late; /* outside from the bound on; else before it */
	} cases[] = {
		{make(T - 5 * SECOND, T - 60 * SECOND, T - 60 * SECOND),
	     SG_WINDOW_EXPIRED, true},
		{make(T + 60 * SECOND, T - 60 * SECOND, T + 5 * SECOND),
	     SG_WINDOW_ISSUED_IN_FUTURE, false},
		{make(T + 60 * SECOND, T + 5 * SECOND, T - 60 * SECOND),
	     SG_WINDOW_NOT_YET_VALID, false},
		{make(T + 60 * SECOND, T - 60 * SECOND, T - 105 * SECOND),
	     SG_WINDOW_TOO_OLD, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (sg_usec step = -1; step <= 1; step++) {
			bool outside = cases[i].late ? step >= 0 : step < 0;

			assert_int_equal(
				sg_window_judge(&cases[i].claims, &rules, T + step),
				outside ? cases[i].outside : SG_WINDOW_INSIDE);
			assert_int_equal(
				sg_window_margin(&cases[i].claims, &rules, T + step),
				cases[i].late ? -step : step);
		}
}

static void test_lifetime(void **state)
{
	sg_usec iat = T - 10 * SECOND;

	(void)state;
	for (sg_usec step = -1; step <= 1; step++) {
		struct sg_claims longest = make(iat + 300 * SECOND + step, iat, iat);
		struct sg_claims from_nbf =
			make(T + 2 * SECOND + step, T + 2 * SECOND, iat);
		struct sg_claims from_iat =
			make(T + 2 * SECOND + step, iat, T + 2 * SECOND);

		assert_int_equal(sg_window_judge(&longest, &rules, T),
		                 step > 0 ? SG_WINDOW_LIFETIME : SG_WINDOW_INSIDE);
		assert_int_equal(sg_window_judge(&from_nbf, &rules, T),
		                 step > 0 ? SG_WINDOW_INSIDE : SG_WINDOW_LIFETIME);
		assert_int_equal(sg_window_judge(&from_iat, &rules, T),
		                 step > 0 ? SG_WINDOW_INSIDE : SG_WINDOW_LIFETIME);
	}
}

/* The largest numbers that claims and rules can have do not overflow; UBSan
 * would say so. */
static void test_extremes(void **state)
{
	const struct sg_window_rules widest = {300 * SECOND, SG_TIME_LAST,
	                                       SG_TIME_LAST};
	struct sg_claims last = make(SG_TIME_LAST, SG_TIME_LAST, SG_TIME_LAST);
	struct sg_claims first = make(0, 0, 0);

	(void)state;
	assert_int_equal(sg_window_judge(&last, &widest, SG_TIME_LAST),
	                 SG_WINDOW_LIFETIME);
	assert_int_equal(sg_window_judge(&last, &widest, 0),
	                 SG_WINDOW_ISSUED_IN_FUTURE);
	assert_int_equal(sg_window_judge(&first, &widest, SG_TIME_LAST),
	                 SG_WINDOW_EXPIRED);
	assert_true(sg_window_margin(&first, &widest, SG_TIME_LAST) < 0);
	assert_true(sg_window_margin(&last, &widest, 0) < 0);
}

/* ---- claims ------------------------------------------------------------- */

/* To the microsecond; what is finer goes to the stricter side. */
static void test_rounding(void **state)
{
	static const struct {
		const char *number;
		sg_usec down;
		sg_usec up;
	} cases[] = {
		{"2000000000", T, T},
		{"2000000000.0", T, T},
		{"2e9", T, T},
		{"0", 0, 0},
		{"0.0", 0, 0},
		{"0.000001", 1, 1},
		{"0.0000001", 0, 1},
		{"0.9999999", 999999, 1000000},
		{"1.5", 1500000, 1500000},
		{"1763860000.123456", 1763860000123456, 1763860000123456},
		{"1763860000.999999", 1763860000999999, 1763860000999999},
		{"2000000000.000001", T + 1, T + 1},
		{"2000000000.0000015", T + 1, T + 2},
		{"253402300799", SG_TIME_LAST, SG_TIME_LAST},
		{"253402300798.5", SG_TIME_LAST - 500000, SG_TIME_LAST - 500000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sg_error error = {0};
		struct sg_claims claims = {0};
		char text[128];

		snprintf(text, sizeof text, "{\"exp\":%1$s,\"nbf\":%1$s,\"iat\":%1$s}",
		         cases[i].number);
		assert_done(sg_claims_parse((unsigned char *)text, strlen(text),
		                            &claims, &error),
		            error);
		assert_done(sg_claims_type(&claims, &error), error);
		assert_int_equal(claims.expires.time, cases[i].down);
		assert_int_equal(claims.not_before.time, cases[i].up);
		assert_int_equal(claims.issued.time, cases[i].up);
		sg_claims_free(&claims);
	}
}

/* Each of a thousand microseconds, written with six decimals, is itself. */
static void test_every_microsecond(void **state)
{
	(void)state;
	for (int micro = 0; micro < 1000000; micro += 997) {
		struct sg_error error = {0};
		struct sg_claims claims = {0};
		char text[64];

		snprintf(text, sizeof text, "{\"exp\":2000000000.%06d}", micro);
		assert_done(sg_claims_parse((unsigned char *)text, strlen(text),
		                            &claims, &error),
		            error);
		assert_done(sg_claims_type(&claims, &error), error);
		assert_int_equal(claims.expires.time, T + micro);
		sg_claims_free(&claims);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_lifetime),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_every_microsecond),
	};

	return cmocka_run_group_tests_name("jwt_window", tests, NULL, NULL);
}
