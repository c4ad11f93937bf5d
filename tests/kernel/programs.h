/* SPDX-License-Identifier: GPL-2.0-only */
/* One of the loaded programs, run by BPF_PROG_RUN on a test's clock: frames in, flows, events and counters out. */
#ifndef ACKMON_TESTS_PROGRAMS_H
#define ACKMON_TESTS_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/config.h"
#include "abi/counters.h"
#include "abi/event.h"
#include "abi/flow.h"
#include "core/frame.h"
#include "attach_form.h"
#include "table.h"

/*
 * What BPF_PROG_RUN takes. Headers lie in the first bytes and every length comes from the headers or
 * from `rehearsal`, so cutting a frame changes nothing. A frame too short for the headers it
 * announces may be refused.
 */
#define RUN_BYTES_MAX 1500
#define RUN_BYTES_SURE 54 /* Ethernet and IPv6 */

/* flow->close is set where a frame ended the flow, else CLOSE_OPEN; what is beside the flow was added. */
typedef void (*program_flow_fn)(void *context, const struct flow_key *key, struct flow_whole *whole);
typedef void (*program_event_fn)(void *context, const struct segment_event *event);

struct program {
	enum door door;
	const char *door_name; /* xdp, tc_ingress, tc_egress */
	__u32 events_bytes; /* of the ring buffer, a power of two; 0: as it is */
	__u32 pairs_max;    /* the room that config promises; 0: as it is */
	__u32 chunks_max;
	struct monitor *skel;
	struct bpf_program *bpf;
	struct ring_buffer *events;
	struct table flows;
	struct table half_open;
	program_flow_fn on_flow;
	program_event_fn on_event;
	void *context;
};

bool program_find_door(const char *name, enum door *ret_door);

/* The configuration of a test run: defaults, the test's clock, all events. */
struct monitor_config program_config(void);

/* Loads it. The caller sets door and callbacks; 0 or -errno. */
int program_load(struct program *program, const struct monitor_config *config);

/* One frame. -EINVAL: it is shorter than the kernel takes. */
int program_run(struct program *program, const struct frame *frame, __u32 *ret_verdict);

/* A program lets every frame go on as if it were not there. */
bool program_verdict_is_neutral(const struct program *program, __u32 verdict);

/* Flows that ended and events so far; then every flow of the tables, which are empty after it. */
int program_take_events(struct program *program);
int program_take_flows(struct program *program);

/* Summed over CPUs, and zero again. -EPROTO: another door has counted frames. */
int program_take_counters(struct program *program, struct door_counters *ret_counters);

const char *program_counter_name(enum counter counter); /* NULL: a number without a counter */

void program_close(struct program *program);

#endif
