/* SPDX-License-Identifier: GPL-2.0-only */
/* What is counted at every door, each with its name and its meaning. */
#ifndef ACKMON_ABI_COUNTERS_H
#define ACKMON_ABI_COUNTERS_H

#include <linux/types.h>

enum door {
	DOOR_XDP,        /* ingress, before the stack */
	DOOR_TC_INGRESS, /* ingress, after GRO */
	DOOR_TC_EGRESS,  /* egress, before segmentation */
	DOOR_CAPTURE,    /* a capture file */
	DOOR_COUNT,
};

/* A frame is either tracked or counted under exactly one of these reasons. */
#define UNTRACKED_REASONS(X)                                                                   \
	X(frames_filtered, "not selected by the filter")                                      \
	X(frames_truncated, "captured bytes end before the TCP header does")                  \
	X(frames_link_unknown, "link type that is not supported")                             \
	X(frames_not_ip, "neither IPv4 nor IPv6")                                             \
	X(frames_link_malformed, "link header, label or PPP header impossible")               \
	X(frames_vlan_deep, "more than four VLAN tags")                                       \
	X(frames_headers_deep, "more than 64 headers before TCP")                             \
	X(frames_ip_malformed, "IP version or header length impossible")                      \
	X(frames_ip_overlong, "IP length beyond the end of the frame")                        \
	X(frames_fragments, "later IP fragment, no TCP header in it")                         \
	X(frames_ext_headers, "IPv6 extension header chain too long")                         \
	X(frames_jumbograms, "IPv6 jumbogram of another length than its frame")               \
	X(frames_tunnel, "tunnel that is not followed; see --decap")                          \
	X(frames_tunnel_deep, "third tunnel inside two")                                      \
	X(frames_tunnel_malformed, "tunnel header impossible")                                \
	X(frames_icmp_errors, "ICMP error about a TCP segment")                               \
	X(frames_not_tcp, "IP, but not TCP")                                                  \
	X(frames_tcp_malformed, "TCP data offset impossible")                                 \
	X(frames_refused, "of a flow that the full flow table had refused")                    \
	X(frames_no_room, "no room for another half-open flow")

/* Facts beside the sum: they do not say where a frame went. */
#define OTHER_COUNTERS(X)                                                                      \
	X(frames_first_fragments, "tracked first fragment of a fragmented packet")            \
	X(frames_decapsulated, "tracked frame whose segment was inside a tunnel")             \
	X(unreachables, "ICMP error that told why a SYN had no answer")                       \
	X(flows_opened, "flow first seen")                                                    \
	X(flows_promoted, "flow that proved itself and entered the flow table")               \
	X(flows_early, "flow that entered it before, the half-open room having no form for it") \
	X(flows_refused, "proven flow the full flow table could not take")                    \
	X(flows_ended, "flow that left a table through the hall: reused or silent too long")  \
	X(half_open_ended, "the same, before the flow had proved itself")                     \
	X(half_open_forgotten, "half-open flow forgotten early, its room was full")           \
	X(events_lost, "event the full ring buffer could not take")                           \
	X(holes_refused, "hole list that found no room; the flow is approximate")             \
	X(rares_refused, "rare counts that found no room; the flow is approximate")             \
	X(histograms_refused, "histogram of round trips that found no room; no percentiles")        \
	X(transits_refused, "connection whose time inside this box found no room")             \
	X(segments_suspect, "sequence number outside any possible window")                    \
	X(times_backwards, "frame older than the one before it in its flow")

enum counter {
	FRAMES_SEEN,
	FRAMES_TRACKED,
#define X(name, meaning) COUNTER_##name,
	UNTRACKED_REASONS(X) COUNTER_REASONS_END,
	COUNTER_REASONS_LAST = COUNTER_REASONS_END - 1,
	COUNTER_BEFORE_OTHERS = COUNTER_REASONS_END - 1,
	OTHER_COUNTERS(X)
#undef X
	COUNTER_COUNT,
};

struct door_counters {
	__u64 value[COUNTER_COUNT]; /* indexed by enum counter */
};

#endif
