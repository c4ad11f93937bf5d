/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP options: MSS, window scale, SACK permitted, SACK blocks, timestamps; the rest is stepped over. */
#ifndef ACKMON_CORE_OPTIONS_H
#define ACKMON_CORE_OPTIONS_H

#include "core/compiler.h"
#include "core/packet.h"

/*
 * Fill pkt from the options at `at`, `len` bytes by the data offset (RFC 9293, 3.1), of which only
 * those before `end` were captured. An option that does not fit ends the list: what stood before it
 * counts, as in every stack. Nearly all segments carry a list that options_usual() knows; it answers 0
 * when this is another, which is for options_read().
 */
core_inline int options_usual(const __u8 *at, __u32 len, const __u8 *end, struct packet *pkt);
core_inline void options_read(const __u8 *at, __u32 len, const __u8 *end, struct packet *pkt);

enum tcp_option {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WSCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_SACK = 5,
	OPTION_TIMESTAMPS = 8,
};

#define OPTIONS_LEN_MAX 40u
#define WSCALE_MAX 14 /* RFC 7323, 2.3 */

/* pkt->options is long enough for any access at any masked offset: no path needs another check. */
core_inline const __u8 *option_at(const struct packet *pkt, __u32 offset)
{
	return pkt->options + (offset & 63);
}

core_inline void option_timestamps(const __u8 *at, struct packet *pkt)
{
	pkt->tsval = load_u32(at);
	pkt->tsecr = load_u32(at + 4);
	pkt->has_ts = 1;
}

core_inline void option_wscale(const __u8 *at, struct packet *pkt)
{
	pkt->wscale = *at > WSCALE_MAX ? WSCALE_MAX : *at;
	pkt->has_wscale = 1;
}

core_inline void option_sack(struct packet *pkt, __u32 offset, __u32 size)
{
	__u32 i;

	for (i = 0; i < 4 && 2 + 8 * (i + 1) <= size; i++) {
		const __u8 *block = option_at(pkt, offset + 2 + 8 * i);

		pkt->sack[i].start = load_u32(block);
		pkt->sack[i].end = load_u32(block + 4);
		pkt->sack_count = (__u8)(i + 1);
	}
}

/* One option of `size` bytes at `offset`; all of it lies inside the options. */
core_inline void option_parse(struct packet *pkt, __u32 offset, __u32 size)
{
	const __u8 *value = option_at(pkt, offset + 2);

	switch (*option_at(pkt, offset)) {
	case OPTION_MSS:
		if (size == 4)
			pkt->mss = load_u16(value);
		return;
	case OPTION_WSCALE:
		if (size == 3)
			option_wscale(value, pkt);
		return;
	case OPTION_SACK_PERMITTED:
		pkt->sack_permitted = 1;
		return;
	case OPTION_SACK:
		option_sack(pkt, offset, size);
		return;
	case OPTION_TIMESTAMPS:
		if (size == 10)
			option_timestamps(value, pkt);
		return;
	}
}

/* One option of the copy in pkt->options: where the next one begins, or OPTIONS_OVER. */
#define OPTIONS_OVER 255u

core_cut __u32 options_step(struct packet *pkt, __u32 offset);

core_cut __u32 core_body(options_step)(struct packet *pkt, __u32 offset)
{
	__u32 size;

	if (!pkt || offset >= pkt->options_len || *option_at(pkt, offset) == OPTION_END)
		return OPTIONS_OVER;
	if (*option_at(pkt, offset) == OPTION_NOP)
		return offset + 1;
	size = *option_at(pkt, offset + 1);
	if (size < 2 || offset + size > pkt->options_len)
		return OPTIONS_OVER;
	option_parse(pkt, offset, size);
	return offset + size;
}

/* All of them. Each is verified once, and not once for each place it may stand at. */
core_apart int options_walk(struct packet *pkt)
{
	__u32 offset = 0, i;

	for (i = 0; i < OPTIONS_LEN_MAX && offset != OPTIONS_OVER; i++)
		offset = options_step(pkt, offset);
	return 0;
}

/* Any list. Options come in whole words (the data offset counts words); a cut-off word is not used. */
core_inline void options_read(const __u8 *at, __u32 len, const __u8 *end, struct packet *pkt)
{
	__u32 i;

	for (i = 0; i < OPTIONS_LEN_MAX; i += 4) {
		if (i >= len || at + i + 4 > end)
			break;
		*(__be32 *)(pkt->options + i) = load_be32(at + i);
		pkt->options_len = i + 4;
	}
	options_walk(pkt);
}

/* ------------------------------------------------------------------ what nearly all segments carry */

/* The words that SYNs are made of. */
#define WORD_NOP_WSCALE 0x010303u /* without the shift, its last octet */
#define WORD_SACK_PERMITTED 0x01010402u /* behind two NOPs */
#define WORD_SACK_PERMITTED_TIMESTAMPS 0x0402080au
#define WORD_TIMESTAMPS 0x0101080au /* behind two NOPs: RFC 7323, appendix A */
#define WORD_SACK_PERMITTED_END 0x04020000u

/* Behind the MSS: timestamps with SACK permitted in front, window scale. A SYN of Linux. */
core_inline int options_syn_of_linux(const __u8 *at, struct packet *pkt)
{
	if (load_u32(at) != WORD_SACK_PERMITTED_TIMESTAMPS || load_u32(at + 12) >> 8 != WORD_NOP_WSCALE)
		return 0;
	option_timestamps(at + 4, pkt);
	option_wscale(at + 15, pkt);
	return 1;
}

/* Window scale, timestamps, SACK permitted: macOS and iOS. */
core_inline int options_syn_of_apple(const __u8 *at, struct packet *pkt)
{
	if (load_u32(at) >> 8 != WORD_NOP_WSCALE || load_u32(at + 4) != WORD_TIMESTAMPS ||
	    load_u32(at + 16) != WORD_SACK_PERMITTED_END)
		return 0;
	option_wscale(at + 3, pkt);
	option_timestamps(at + 8, pkt);
	return 1;
}

/* Window scale and SACK permitted: Windows; the other way round: Linux without timestamps. */
core_inline int options_syn_without_timestamps(const __u8 *at, struct packet *pkt)
{
	int is_windows = load_u32(at) >> 8 == WORD_NOP_WSCALE && load_u32(at + 4) == WORD_SACK_PERMITTED;

	if (!is_windows && (load_u32(at) != WORD_SACK_PERMITTED || load_u32(at + 4) >> 8 != WORD_NOP_WSCALE))
		return 0;
	option_wscale(is_windows ? at + 3 : at + 7, pkt);
	return 1;
}

/* 0: it is another list, and nothing was done. */
core_inline int options_usual_syn(const __u8 *at, __u32 len, const __u8 *end, struct packet *pkt)
{
	int known = 0;

	if (at + 4 > end || load_u16(at) != 0x0204)
		return 0;
	if (len == 20 && at + 20 <= end)
		known = options_syn_of_linux(at + 4, pkt);
	else if (len == 24 && at + 24 <= end)
		known = options_syn_of_apple(at + 4, pkt);
	else if (len == 12 && at + 12 <= end)
		known = options_syn_without_timestamps(at + 4, pkt);
	pkt->sack_permitted = known & 1;
	if (known || len == 4)
		pkt->mss = load_u16(at + 2);
	return known || len == 4;
}

/* NOP NOP SACK, and nothing behind it. 0: it is something else, nothing was done. */
core_inline int options_usual_sack(const __u8 *at, __u32 len, const __u8 *end, struct packet *pkt)
{
	__u32 i;

	if (at + 4 > end || load_u32(at) != (0x01010500 | (len - 2)))
		return 0;
	for (i = 0; i < 4 && at + 12 + 8 * i <= end; i++) {
		pkt->sack[i].start = load_u32(at + 4 + 8 * i);
		pkt->sack[i].end = load_u32(at + 8 + 8 * i);
		if (12 + 8 * i == len) {
			pkt->sack_count = (__u8)(i + 1);
			return 1;
		}
	}
	return 0;
}

/* In one piece, as a walk would. 0: there is something else, and the walk finds it all. */
core_inline int options_usual(const __u8 *at, __u32 len, const __u8 *end, struct packet *pkt)
{
	if (len >= 12 && at + 12 <= end && load_u32(at) == WORD_TIMESTAMPS) {
		option_timestamps(at + 4, pkt);
		return len == 12 || options_usual_sack(at + 12, len - 12, end, pkt);
	}
	return options_usual_syn(at, len, end, pkt);
}

#endif
