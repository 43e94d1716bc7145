/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share: each is a file with one function that libFuzzer
 * calls with bytes, and that aborts when what it expects is not so. */
#ifndef SG_FUZZ_H
#define SG_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void expect(bool met)
{
	if (!met)
		abort();
}

/* The bytes of an input, taken one by one; behind its end they are 0. */
struct input {
	const uint8_t *data;
	size_t size;
};

static inline uint8_t take(struct input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

#endif
