/* SPDX-License-Identifier: MIT */
/* What every unit test includes: cmocka, with what it needs before it. */
#ifndef SG_CHECK_H
#define SG_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* cmocka 2 deprecates assert_in_range; cmocka 1 has nothing in its place. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include <cmocka.h>

/* A failing function shows what it said. */
#define assert_done(call, error)                                               \
	do {                                                                       \
		(error).text[0] = '\0';                                                \
		if ((call) != 0)                                                       \
			fail_msg("%s: [%s] %s", #call, (error).code, (error).text);        \
	} while (0)

#endif
