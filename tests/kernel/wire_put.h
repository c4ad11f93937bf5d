/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers as they stand on the wire. */
#ifndef ACKMON_TESTS_WIRE_PUT_H
#define ACKMON_TESTS_WIRE_PUT_H

#include <stdint.h>

static inline void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

#endif
