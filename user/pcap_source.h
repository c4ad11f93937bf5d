/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames from capture files: pcap and pcapng, gzip and zstd, or standard input. */
#ifndef ACKMON_PCAP_SOURCE_H
#define ACKMON_PCAP_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "core/frame.h"

struct pcap_source;

/*
 * path "-" is stdin. filter is a pcap filter or NULL. On failure -errno, and ret_error holds one
 * sentence that names the file and the way out (bad filter: -EINVAL; not a capture: -EPROTO;
 * link type not supported: -EPROTONOSUPPORT; an empty file: -ENODATA; a signal came first: -EINTR).
 */
int pcap_source_open(struct pcap_source **ret_source, const char *path, const char *filter,
		     char *ret_error, size_t error_size);

/* The same for one that is open already: takes fd over, and path only names it. */
int pcap_source_open_fd(struct pcap_source **ret_source, int fd, const char *path, const char *filter,
			char *ret_error, size_t error_size);

/* path as above: its descriptor, or -errno. */
int pcap_source_open_path(const char *path);

/*
 * 1: *ret_frame is the next frame (valid until the next call); its door, link, wire_bytes and
 * time_ns are set, segments is 0, ifindex 0. ret_selected is 0 when the filter does not select it.
 * 0: end of the file. -EPROTO: damaged here; ret_error names file, frame and reason. -EINTR: a signal came
 * while it was waited for. -EAGAIN: see pcap_source_never_wait().
 */
int pcap_source_next(struct pcap_source *source, struct frame *ret_frame, int *ret_selected,
		     char *ret_error, size_t error_size);

/*
 * 1: frames were left out because their interface, of several in a pcapng file, has a link type that is
 * not supported: they came with link LINK_UNKNOWN, and the sentence names the first such interface.
 */
int pcap_source_left_out(const struct pcap_source *source, char *ret_text, size_t text_size);

/* From now on a pipe that has nothing yet is no reason to wait: that is -EAGAIN, and asked again it goes on. */
void pcap_source_never_wait(struct pcap_source *source);

/* How far it is read, and how long it is (both compressed, where it is); size 0 when unknown. */
void pcap_source_position(const struct pcap_source *source, uint64_t *ret_bytes,
			  uint64_t *ret_size);

void pcap_source_close(struct pcap_source *source); /* accepts NULL */

#endif
