/* SPDX-License-Identifier: GPL-2.0-only */
/* How far a long replay has come: percent, packets per second, time left. */
#include "progress.h"

#include <stdio.h>
#include <time.h>

#include "log.h"

#define NS_PER_S 1000000000ULL
#define QUIET_NS NS_PER_S
#define PERIOD_NS (NS_PER_S / 4)

static uint64_t progress_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* "812 packets/s", "9.41 M packets/s" */
static void format_rate(double packets_per_s, char *ret_text, size_t size)
{
	if (packets_per_s < 10e3)
		snprintf(ret_text, size, "%.0f packets/s", packets_per_s);
	else if (packets_per_s < 1e6)
		snprintf(ret_text, size, "%.0f k packets/s", packets_per_s / 1e3);
	else
		snprintf(ret_text, size, "%.2f M packets/s", packets_per_s / 1e6);
}

/* "5 s left", "3 min 05 s left", "1 h 02 min left" */
static void format_left(uint64_t left_s, char *ret_text, size_t size)
{
	unsigned long long left = left_s;

	if (left < 60)
		snprintf(ret_text, size, "%llu s left", left);
	else if (left < 3600)
		snprintf(ret_text, size, "%llu min %02llu s left", left / 60, left % 60);
	else
		snprintf(ret_text, size, "%llu h %02llu min left", left / 3600, left / 60 % 60);
}

static void progress_show(uint64_t frames, uint64_t bytes, uint64_t size, double elapsed_s)
{
	char rate[32];
	char left[48];

	format_rate((double)frames / elapsed_s, rate, sizeof(rate));
	if (!size || !bytes) {
		log_progress("%llu frames, %s", (unsigned long long)frames, rate);
		return;
	}
	if (bytes > size) /* the file grows while it is read */
		bytes = size;
	format_left((uint64_t)(elapsed_s * (double)(size - bytes) / (double)bytes + 0.5), left,
		    sizeof(left));
	log_progress("%.0f%%, %llu frames, %s, %s", 100.0 * (double)bytes / (double)size,
		     (unsigned long long)frames, rate, left);
}

void progress_update(uint64_t frames, uint64_t bytes, uint64_t size)
{
	static uint64_t start_ns, shown_ns;
	uint64_t now_ns = progress_now_ns();

	if (!start_ns)
		start_ns = now_ns;
	if (now_ns - start_ns < QUIET_NS || now_ns - shown_ns < PERIOD_NS)
		return;
	shown_ns = now_ns;
	progress_show(frames, bytes, size, (double)(now_ns - start_ns) / (double)NS_PER_S);
}
