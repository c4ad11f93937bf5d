/* SPDX-License-Identifier: GPL-2.0-only */
/* An epoch of frames through the loaded program and through the core, and whether they say the same of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/expire.h"
#include "differ.h"
#include "feeder.skel.h"
#include "replay.h"

/* ---------------------------------------------------------------- what was said */

static void note_flow(struct account *account, const struct flow_key *key,
		      const struct flow_whole *whole)
{
	account->rows = differ_grown(account->rows, account->row_count, &account->row_size,
				     sizeof(*account->rows));
	account->rows[account->row_count++] = (struct row){*key, *whole};
}

static void note_event(struct account *account, const struct segment_event *event)
{
	account->events = differ_grown(account->events, account->event_count, &account->event_size,
				       sizeof(*account->events));
	account->events[account->event_count++] = *event;
}

/* A flow the tables still held has no reason yet: replay_finish() gives it. */
static void on_program_flow(void *context, const struct flow_key *key, struct flow_whole *whole)
{
	struct differ *differ = context;
	struct flow *flow = &whole->flow;

	if (flow->close == CLOSE_OPEN && (flow_is_closed(flow) ||
	    flow_is_over(flow, &differ->config, differ->kernel.last_ns)))
		flow->close = flow_close_reason(flow);
	else if (flow->close == CLOSE_OPEN)
		flow->close = CLOSE_END_OF_CAPTURE;
	flow->place = flow->life = 0; /* the core alone has no table */
	note_flow(&differ->kernel, key, whole);
}

static void on_program_event(void *context, const struct segment_event *event)
{
	note_event(&((struct differ *)context)->kernel, event);
}

static void on_native_flow(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	note_flow(&((struct differ *)context)->native, key, whole);
}

static void on_native_event(void *context, const struct segment_event *event)
{
	note_event(&((struct differ *)context)->native, event);
}

static void forget(struct account *account)
{
	account->row_count = account->event_count = 0;
	account->last_ns = 0;
	memset(&account->counters, 0, sizeof(account->counters));
}

/* ---------------------------------------------------------------- both runs */

static int run_kernel_epoch(struct differ *differ, const struct feed *feeds, unsigned int count)
{
	static uint8_t packet[FEED_BYTES_MAX] = {[12] = 0x08};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = (int)count);
	uint64_t start_ns;
	unsigned int i;
	int err;

	for (i = 0; i < count; i++) {
		if (feeds[i].rehearsal.time_ns > differ->kernel.last_ns)
			differ->kernel.last_ns = feeds[i].rehearsal.time_ns;
	}
	memcpy(differ->feeds, feeds, count * sizeof(*feeds));
	differ->feeder->bss->position = 0;
	start_ns = differ_now_ns();
	err = bpf_prog_test_run_opts(differ->feed_fd, &options);
	differ->program_ns += differ_now_ns() - start_ns;
	if (err)
		return differ_fail(differ, err, "BPF_PROG_RUN");
	if (!program_verdict_is_neutral(&differ->program, options.retval)) {
		snprintf(differ->error, sizeof(differ->error), "verdict %u", options.retval);
		return -EPROTO;
	}
	err = program_take_flows(&differ->program);
	if (!err)
		err = program_take_counters(&differ->program, &differ->kernel.counters);
	return err ? differ_fail(differ, err, "flows and counters") : 0;
}

static int run_native_epoch(struct differ *differ, const struct feed *feeds, unsigned int count)
{
	struct replay *replay;
	unsigned int i;
	int err = replay_open(&replay, &differ->config, on_native_flow, on_native_event, differ);

	if (err)
		return differ_fail(differ, err, "replay");
	for (i = 0; i < count; i++) {
		const struct feed *feed = &feeds[i];
		struct frame frame = {
			.data = feed->bytes,
			.end = feed->bytes + feed->captured,
			.time_ns = feed->rehearsal.time_ns,
			.wire_bytes = feed->rehearsal.wire_bytes,
			.door = (__u8)differ->program.door,
			.link = (__u8)feed->rehearsal.link,
		};

		if (differ->program.door != DOOR_XDP && feed->has_vlan_tci) {
			frame.has_vlan_tci = 1;
			frame.vlan_tci = feed->vlan_tci;
		}
		if (differ->lies && i == EPOCH_FRAMES / 2)
			frame.wire_bytes++;
		replay_frame(replay, &frame);
	}
	replay_finish(replay);
	differ->native.counters = *replay_counters(replay);
	replay_close(replay);
	return 0;
}

/* ---------------------------------------------------------------- comparing */

static int by_key_and_start(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = memcmp(&x->key, &y->key, sizeof(x->key));

	if (!order && x->whole.flow.start_ns != y->whole.flow.start_ns)
		order = x->whole.flow.start_ns < y->whole.flow.start_ns ? -1 : 1;
	return order ? order : memcmp(&x->whole, &y->whole, sizeof(x->whole));
}

static bool flows_agree(struct differ *differ)
{
	struct account *kernel = &differ->kernel, *native = &differ->native;

	if (kernel->row_count != native->row_count)
		return false;
	if (!kernel->row_count)
		return true;
	qsort(kernel->rows, kernel->row_count, sizeof(*kernel->rows), by_key_and_start);
	qsort(native->rows, native->row_count, sizeof(*native->rows), by_key_and_start);
	return !memcmp(kernel->rows, native->rows, kernel->row_count * sizeof(*kernel->rows));
}

static bool agree(struct differ *differ)
{
	struct account *kernel = &differ->kernel, *native = &differ->native;

	return !memcmp(&kernel->counters, &native->counters, sizeof(kernel->counters)) &&
	       kernel->event_count == native->event_count &&
	       (!kernel->event_count || !memcmp(kernel->events, native->events,
						kernel->event_count * sizeof(*kernel->events))) &&
	       flows_agree(differ);
}

int differ_run_epoch(struct differ *differ, unsigned int count)
{
	int err;

	forget(&differ->kernel);
	forget(&differ->native);
	err = run_kernel_epoch(differ, differ->epoch, count);
	if (!err)
		err = run_native_epoch(differ, differ->epoch, count);
	return err ? err : agree(differ);
}

/* ---------------------------------------------------------------- the feeder */

static int open_feeder(struct differ *differ)
{
	struct program *program = &differ->program;
	int target_fd = bpf_program__fd(program->bpf), err;
	bool is_xdp = program->door == DOOR_XDP;
	struct feeder *feeder = feeder__open();
	__u32 zero = 0;

	if (!feeder)
		return differ_fail(differ, -errno, "feeder");
	differ->feeder = feeder;
	feeder->rodata->rehearsal_at = (__u32)((char *)&program->skel->bss->rehearsal -
					       (char *)program->skel->bss);
	bpf_program__set_autoload(feeder->progs.feed_xdp, is_xdp);
	bpf_program__set_autoload(feeder->progs.feed_tc, !is_xdp);
	err = bpf_map__reuse_fd(feeder->maps.globals, bpf_map__fd(program->skel->maps.bss));
	if (!err)
		err = feeder__load(feeder);
	if (!err)
		err = bpf_map_update_elem(bpf_map__fd(is_xdp ? feeder->maps.xdp_target
							     : feeder->maps.tc_target),
					  &zero, &target_fd, BPF_ANY);
	if (err)
		return differ_fail(differ, err, "feeder");
	differ->feed_fd = bpf_program__fd(is_xdp ? feeder->progs.feed_xdp : feeder->progs.feed_tc);
	differ->feeds = mmap(NULL, FEED_FRAMES * sizeof(struct feed), PROT_READ | PROT_WRITE, MAP_SHARED,
			     bpf_map__fd(feeder->maps.feeds), 0);
	return differ->feeds == MAP_FAILED ? differ_fail(differ, -errno, "feeds") : 0;
}

int differ_open(struct differ *differ, const struct seed_frame *seeds, size_t seed_count)
{
	int err;

	differ->program.on_flow = on_program_flow;
	differ->program.on_event = on_program_event;
	differ->program.context = differ;
	differ->program.events_bytes = EPOCH_EVENTS_BYTES;
	differ->scene = scene_open(seeds, seed_count);
	differ->epoch = malloc(EPOCH_FRAMES * sizeof(*differ->epoch));
	if (!differ->scene || !differ->epoch)
		return differ_fail(differ, -ENOMEM, "frames");
	err = program_load(&differ->program, &differ->config);
	return err ? differ_fail(differ, err, "loading the program") : open_feeder(differ);
}

void differ_close(struct differ *differ)
{
	feeder__destroy(differ->feeder);
	program_close(&differ->program);
	scene_close(differ->scene);
	free(differ->epoch);
	free(differ->kernel.rows);
	free(differ->kernel.events);
	free(differ->native.rows);
	free(differ->native.events);
}
