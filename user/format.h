/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers, times and addresses as text: exact for programs, short for people. */
#ifndef ACKMON_FORMAT_H
#define ACKMON_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "abi/key.h"

/*
 * Each writes at `at` and returns where it stopped; nothing is terminated unless it says so. A number
 * or a time wants room for FORMAT_NUMBER_MAX bytes, an address for FORMAT_ENDPOINT_MAX: what is behind
 * the text may be written over, too.
 */
#define FORMAT_NUMBER_MAX 32
#define FORMAT_ENDPOINT_MAX 56

char *format_text(char *at, const char *text);
char *format_number(char *at, uint64_t number);         /* 12345 */
char *format_grouped(char *at, uint64_t number);        /* 12,345 */
char *format_hex64(char *at, uint64_t number);          /* always 16 digits */
char *format_addr(char *at, const struct ip_addr *addr); /* 10.0.0.1, 2001:db8::1 */
char *format_endpoint(char *at, const struct ip_addr *addr, uint16_t port); /* [2001:db8::1]:80 */

/* For people: about three digits that matter, rounded to the nearest. */
char *format_duration(char *at, uint64_t ns);                /* 0 340us 1.2ms 12.3s 5m02s 3h07m */
char *format_bytes(char *at, uint64_t bytes);                /* 512B 1.2kB 12.3MB */
char *format_count(char *at, uint64_t count);                /* 999 1.2k 12.3M */
char *format_percent(char *at, uint64_t part, uint64_t whole); /* 0.5% 12% <0.1% */
char *format_clock(char *at, uint64_t wall_ns);              /* 14:03:59.042, local time */

#endif
