/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes taken for a capture file end in a sentence or in counted frames, never in a crash. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "pcap_source.h"
#include "replay.h"

/* A few bytes can unpack to a great many frames; the first ones are enough. */
#define FRAMES_MAX 20000

static uint64_t last_ns;
static volatile unsigned int touched;

static void must(int claim, const char *what)
{
	if (claim)
		return;
	fprintf(stderr, "capture_fuzz: not true: %s\n", what);
	abort();
}

static void show_flow(void *context, const struct flow_key *key, const struct flow *flow)
{
	(void)context;
	(void)key;
	must(flow->side[0].unique_bytes <= flow->side[0].payload_bytes, "unique <= payload");
	must(flow->side[1].unique_bytes <= flow->side[1].payload_bytes, "unique <= payload");
	must(flow->side[0].holes <= HOLES_MAX && flow->side[1].holes <= HOLES_MAX, "holes <= 64");
}

static void check_counters(const struct replay *replay, uint64_t frames)
{
	const __u64 *value = replay_counters(replay)->value;
	uint64_t accounted = value[FRAMES_TRACKED];
	int i;

	for (i = FRAMES_TRACKED + 1; i <= COUNTER_REASONS_LAST; i++)
		accounted += value[i];
	must(value[FRAMES_SEEN] == frames, "every frame was seen");
	must(accounted == frames, "every frame is tracked or has a reason");
}

/* Every byte that a frame claims to have must be there. */
static void touch(const struct frame *frame)
{
	const uint8_t *at = frame->data, *end = frame->end;
	unsigned int sum = 0;

	must(end >= at, "a frame ends behind its start");
	must(frame->wire_bytes >= (size_t)(end - at), "wire length covers what was captured");
	while (at < end)
		sum += *at++;
	touched = sum;
}

static void play(const char *path, const char *filter, struct replay *replay)
{
	struct pcap_source *source;
	char error[256] = "";
	struct frame frame;
	uint64_t frames = 0;
	int selected, got;

	got = pcap_source_open(&source, path, filter, error, sizeof(error));
	if (got) {
		must(got < 0 && error[0], "a refused file is told why");
		return;
	}
	while (frames < FRAMES_MAX) {
		got = pcap_source_next(source, &frame, &selected, error, sizeof(error));
		if (got <= 0)
			break;
		frames++;
		touch(&frame);
		last_ns = frame.time_ns;
		if (selected)
			replay_frame(replay, &frame);
		else
			replay_filtered(replay);
	}
	must(got >= 0 || error[0], "a damaged file is told why");
	pcap_source_close(source);
	check_counters(replay, frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *filter = size && data[size - 1] % 4 == 0 ? "tcp port 80 or ip6" : NULL;
	struct monitor_config config = config_defaults();
	struct replay *replay;
	char path[64];
	int fd = memfd_create("capture", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (replay_open(&replay, &config, show_flow, NULL, NULL))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	play(path, filter, replay);
	replay_sweep(replay, last_ns);
	replay_finish(replay);
	replay_close(replay);
	close(fd);
	return 0;
}
