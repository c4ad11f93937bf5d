/* SPDX-License-Identifier: GPL-2.0-only */
/* The two clocks: the monotonic one frames are stamped with, and how far the wall clock is from it.
 */
#include "clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BRACKETS 16

static int64_t clock_read_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/*
 * In a time namespace CLOCK_MONOTONIC is shifted for processes, but not for the kernel's programs. The
 * shift cannot change once the namespace has a process in it.
 */
static int64_t clock_namespace_ns(void)
{
	static bool is_known;
	static int64_t shift_ns;
	long long seconds, nanoseconds;
	char name[16];
	FILE *file;

	if (is_known)
		return shift_ns;
	is_known = true;
	file = fopen("/proc/self/timens_offsets", "re");
	if (!file) /* before Linux 5.5, or without such namespaces */
		return 0;
	while (fscanf(file, "%15s %lld %lld", name, &seconds, &nanoseconds) == 3)
		if (!strcmp(name, "monotonic"))
			shift_ns = seconds * INT64_C(1000000000) + nanoseconds;
	fclose(file);
	return shift_ns;
}

static int64_t clock_kernel_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC) - clock_namespace_ns();
}

uint64_t clock_monotonic_ns(void)
{
	return (uint64_t)clock_kernel_ns();
}

/*
 * The wall clock is read between two monotonic reads; the error is at most half of their distance.
 * An interruption makes one bracket wide, so the narrowest of several is believed.
 */
static struct clock_offset clock_measure(void)
{
	int64_t narrowest_ns = INT64_MAX;
	struct clock_offset offset = {};

	for (int i = 0; i < BRACKETS; i++) {
		int64_t before_ns = clock_kernel_ns();
		int64_t wall_ns = clock_read_ns(CLOCK_REALTIME);
		int64_t width_ns = clock_kernel_ns() - before_ns;

		if (width_ns >= narrowest_ns)
			continue;
		narrowest_ns = width_ns;
		offset.ns = wall_ns - (before_ns + width_ns / 2);
		offset.error_ns = width_ns - width_ns / 2;
	}
	return offset;
}

int64_t clock_wall_offset_ns(void)
{
	return clock_measure().ns;
}

/* Linux slews both clocks alike: what is between them changes only when the wall clock is set. */
void clock_follow_wall(struct clock_offset *offset)
{
	struct clock_offset now = clock_measure();

	if (llabs(now.ns - offset->ns) > now.error_ns + offset->error_ns)
		*offset = now;
}
