/* SPDX-License-Identifier: GPL-2.0-only */
/* The native parser over one plain frame, TIMES times, for callgrind. usage: parse_loop FRAME TIMES */
#include <stdio.h>
#include <stdlib.h>

#include "parse_bench.h"
#include "parse_frames.h"

__attribute__((noinline)) static enum counter parse_once(const struct frame *frame,
							 struct packet *pkt)
{
	return PARSE_FRAME(frame, pkt);
}

int main(int argc, char **argv)
{
	struct plain_frame *plain = &plain_frames[argc > 1 ? strtoul(argv[1], NULL, 10) % PLAIN_FRAMES : 0];
	unsigned long i, times = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	static struct packet pkt;
	struct frame frame;

	plain_frame_make(plain);
	frame = (struct frame){ .data = plain->bytes, .end = plain->bytes + plain->len, .wire_bytes = plain->len };
	for (i = 0; i < times; i++) {
		if (parse_once(&frame, &pkt))
			return 1;
	}
	puts(plain->name);
	return 0;
}
