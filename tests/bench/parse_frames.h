/* SPDX-License-Identifier: GPL-2.0-only */
/* The frames most networks carry: Ethernet, IPv4 or IPv6, TCP. */
#ifndef ACKMON_PARSE_FRAMES_H
#define ACKMON_PARSE_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PARSE_FRAME_ROOM 512

struct plain_frame {
	const char *name;
	bool is_ipv6;
	uint32_t options; /* 0, 12: timestamps; 20: those of a SYN */
	uint32_t payload_bytes;
	uint32_t len;
	uint8_t bytes[PARSE_FRAME_ROOM];
};

static struct plain_frame plain_frames[] = {
	{ .name = "IPv4, data with timestamps", .options = 12, .payload_bytes = 200 },
	{ .name = "IPv4, ACK without options" },
	{ .name = "IPv4, SYN", .options = 20 },
	{ .name = "IPv6, data with timestamps", .is_ipv6 = true, .options = 12, .payload_bytes = 200 },
	{ .name = "IPv6, ACK without options", .is_ipv6 = true },
};
#define PLAIN_FRAMES (sizeof(plain_frames) / sizeof(plain_frames[0]))

static inline void plain_u16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void plain_ip(struct plain_frame *frame, uint8_t *ip, uint32_t tcp_len)
{
	if (frame->is_ipv6) {
		ip[0] = 0x60;
		plain_u16(ip + 4, tcp_len);
		ip[6] = 6;
		ip[7] = 64;
		ip[8] = ip[24] = 0xfd;
		ip[23] = 2;
		ip[39] = 1;
		return;
	}
	ip[0] = 0x45;
	plain_u16(ip + 2, 20 + tcp_len);
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, "\x0a\0\0\2\x0a\0\0\1", 8);
}

static inline void plain_frame_make(struct plain_frame *frame)
{
	static const uint8_t timestamps[12] = { 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2 };
	static const uint8_t syn[20] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7 };
	uint32_t tcp_len = 20 + frame->options + frame->payload_bytes;
	uint8_t *ip = frame->bytes + 14, *tcp = ip + (frame->is_ipv6 ? 40 : 20);

	memset(frame->bytes, 0, sizeof(frame->bytes));
	plain_u16(frame->bytes + 12, frame->is_ipv6 ? 0x86dd : 0x0800);
	plain_ip(frame, ip, tcp_len);
	plain_u16(tcp, 40000);
	plain_u16(tcp + 2, 443);
	tcp[12] = (uint8_t)((20 + frame->options) / 4 << 4);
	tcp[13] = frame->options == sizeof(syn) ? 0x02 : 0x18;
	if (frame->options)
		memcpy(tcp + 20, frame->options == sizeof(syn) ? syn : timestamps, frame->options);
	frame->len = (uint32_t)(tcp - frame->bytes) + tcp_len;
}

#endif
