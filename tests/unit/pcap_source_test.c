/* SPDX-License-Identifier: GPL-2.0-only */
/* Capture files as they come: whole, packed, cut, damaged, of other kinds; and what is said of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "abi/counters.h"
#include "pcap_source.h"

#define ETHERNET 1
#define LOOPBACK 0
#define RAW 101
#define WIFI 105
#define USER0 147
#define COOKED 113
#define COOKED2 276

#define MICROSECONDS 0xa1b2c3d4
#define NANOSECONDS 0xa1b23c4d

static char path[] = "/tmp/pcap_source_test.XXXXXX";
static char error[512];
static struct pcap_source *source;
static struct frame frame;
static int selected;

/* The capture under construction. */
static uint8_t bytes[64 * 1024];
static size_t len;

static void put(const void *data, size_t size)
{
	assert_true(len + size <= sizeof(bytes));
	memcpy(bytes + len, data, size);
	len += size;
}

static void put_u32(uint32_t value)
{
	put(&value, sizeof(value));
}

static void capture(uint32_t magic, uint32_t link)
{
	len = 0;
	put_u32(magic);
	put_u32(2 | 4 << 16);
	put_u32(0);
	put_u32(0);
	put_u32(65535);
	put_u32(link);
}

static void record(uint32_t time_s, uint32_t fraction, const void *data, uint32_t captured,
		   uint32_t wire)
{
	put_u32(time_s);
	put_u32(fraction);
	put_u32(captured);
	put_u32(wire);
	put(data, captured);
}

/* An Ethernet frame of 60 bytes that begins with its own number. */
static void frame_numbered(uint8_t number)
{
	uint8_t data[60] = { number, [12] = 0x08, [13] = 0x00, [14] = 0x45 };

	record(number, 0, data, sizeof(data), sizeof(data));
}

static void three_frames(void)
{
	capture(MICROSECONDS, ETHERNET);
	frame_numbered(1);
	frame_numbered(2);
	frame_numbered(3);
}

static void save(const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	close(fd);
}

static int open_path(const char *name, const char *filter)
{
	pcap_source_close(source);
	source = NULL;
	error[0] = '\0';
	return pcap_source_open(&source, name, filter, error, sizeof(error));
}

static void opened(void)
{
	save(bytes, len);
	if (open_path(path, NULL))
		fail_msg("%s", error);
}

static int next(void)
{
	return pcap_source_next(source, &frame, &selected, error, sizeof(error));
}

static void expect_frame(uint8_t number)
{
	if (next() != 1)
		fail_msg("no frame %d: %s", number, error);
	assert_int_equal(*(const uint8_t *)frame.data, number);
}

static void expect_three_frames(void)
{
	expect_frame(1);
	expect_frame(2);
	expect_frame(3);
	assert_int_equal(next(), 0);
}

static void said(const char *words)
{
	if (!strstr(error, words))
		fail_msg("\"%s\" does not say \"%s\"", error, words);
}

static void refused(int err, const char *words)
{
	save(bytes, len);
	assert_int_equal(open_path(path, NULL), err);
	assert_null(source);
	said(path);
	said(words);
}

static size_t gzipped(uint8_t *ret_packed, size_t size, const void *data, size_t data_len)
{
	z_stream stream = { .next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)data_len,
			    .next_out = ret_packed, .avail_out = (uInt)size };

	assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8,
				      Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	return size - stream.avail_out;
}

static void frames_come_in_order(void **state)
{
	(void)state;
	three_frames();
	opened();
	expect_three_frames();
}

static void frame_says_where_it_comes_from(void **state)
{
	(void)state;
	three_frames();
	opened();
	expect_frame(1);
	assert_int_equal(frame.door, DOOR_CAPTURE);
	assert_int_equal(frame.link, LINK_ETHERNET);
	assert_int_equal(frame.segments, 0);
	assert_int_equal(frame.ifindex, 0);
	assert_int_equal(frame.has_vlan_tci, 0);
}

static void microseconds_become_nanoseconds(void **state)
{
	(void)state;
	capture(MICROSECONDS, ETHERNET);
	record(1700000000, 250, "data", 4, 4);
	opened();
	assert_int_equal(next(), 1);
	assert_int_equal(frame.time_ns, 1700000000000250000);
}

static void nanoseconds_stay(void **state)
{
	(void)state;
	capture(NANOSECONDS, ETHERNET);
	record(1700000000, 250, "data", 4, 4);
	opened();
	assert_int_equal(next(), 1);
	assert_int_equal(frame.time_ns, 1700000000000000250);
}

static void cut_frame_keeps_its_wire_length(void **state)
{
	(void)state;
	capture(MICROSECONDS, ETHERNET);
	record(1, 0, "data", 4, 1514);
	opened();
	assert_int_equal(next(), 1);
	assert_int_equal(frame.wire_bytes, 1514);
	assert_int_equal((const uint8_t *)frame.end - (const uint8_t *)frame.data, 4);
}

static void wire_length_is_at_least_the_captured_one(void **state)
{
	(void)state;
	capture(MICROSECONDS, ETHERNET);
	record(1, 0, "data", 4, 2);
	opened();
	assert_int_equal(next(), 1);
	assert_int_equal(frame.wire_bytes, 4);
}

static void gzip_is_unpacked(void **state)
{
	uint8_t packed[4096];

	(void)state;
	three_frames();
	save(packed, gzipped(packed, sizeof(packed), bytes, len));
	assert_int_equal(open_path(path, NULL), 0);
	expect_three_frames();
}

static void gzip_members_follow_each_other(void **state)
{
	uint8_t packed[4096] = { 0 };
	size_t size;

	(void)state;
	three_frames();
	size = gzipped(packed, sizeof(packed), bytes, 100);
	size += gzipped(packed + size, sizeof(packed) - size, bytes + 100, len - 100);
	save(packed, size + 10); /* zeros behind the last member are padding */
	assert_int_equal(open_path(path, NULL), 0);
	expect_three_frames();
}

static void gzip_that_ends_early_keeps_what_came(void **state)
{
	uint8_t packed[4096];
	size_t size;

	(void)state;
	three_frames();
	size = gzipped(packed, sizeof(packed), bytes, 24 + 76);
	size += gzipped(packed + size, sizeof(packed) - size, bytes + 100, len - 100);
	save(packed, size - 20);
	assert_int_equal(open_path(path, NULL), 0);
	expect_frame(1);
	assert_int_equal(next(), -EPROTO);
	said("frame 2: gzip data ends early; flows up to here are kept");
}

static void damaged_gzip_is_named(void **state)
{
	uint8_t packed[4096];
	size_t size;

	(void)state;
	three_frames();
	size = gzipped(packed, sizeof(packed), bytes, len);
	memset(packed + 10, 0xff, 20);
	save(packed, size);
	assert_int_equal(open_path(path, NULL), -EPROTO);
	said("gzip data is damaged");
}

static void zstd_is_unpacked(void **state)
{
	uint8_t packed[4096];

	(void)state;
	three_frames();
	save(packed, ZSTD_compress(packed, sizeof(packed), bytes, len, 3));
	assert_int_equal(open_path(path, NULL), 0);
	expect_three_frames();
}

static void zstd_that_ends_early_is_named(void **state)
{
	uint8_t packed[4096];
	size_t size;

	(void)state;
	three_frames();
	size = ZSTD_compress(packed, sizeof(packed), bytes, 100, 3);
	size += ZSTD_compress(packed + size, sizeof(packed) - size, bytes + 100, len - 100, 3);
	save(packed, size - 5);
	assert_int_equal(open_path(path, NULL), 0);
	expect_frame(1);
	assert_int_equal(next(), -EPROTO);
	said("frame 2: zstd data ends early");
}

static void other_packers_get_the_way_out(void **state)
{
	(void)state;
	len = 0;
	put("\xfd" "7zXZ\0rest", 10);
	refused(-EPROTO, "packed by xz; unpack it on the way: xz -dc");
}

static void read_through_pipe(const void *data, size_t size)
{
	int pipe_fds[2];
	int saved = dup(STDIN_FILENO);

	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(write(pipe_fds[1], data, size), (ssize_t)size);
	close(pipe_fds[1]);
	dup2(pipe_fds[0], STDIN_FILENO);
	close(pipe_fds[0]);
	assert_int_equal(open_path("-", NULL), 0);
	dup2(saved, STDIN_FILENO);
	close(saved);
}

static void standard_input_may_be_packed_or_not(void **state)
{
	uint8_t packed[4096];

	(void)state;
	three_frames();
	read_through_pipe(bytes, len);
	expect_three_frames();
	read_through_pipe(packed, gzipped(packed, sizeof(packed), bytes, len));
	expect_three_frames();
}

static void position_ends_at_the_size(void **state)
{
	uint64_t done, size;

	(void)state;
	three_frames();
	opened();
	expect_three_frames();
	pcap_source_position(source, &done, &size);
	assert_int_equal(done, len);
	assert_int_equal(size, len);
}

static void bad_files_are_named(void **state)
{
	(void)state;
	len = 0;
	refused(-ENODATA, "empty file, no capture header");
	capture(MICROSECONDS, ETHERNET);
	len = 10;
	refused(-EPROTO, "ends inside its capture header");
	len = 0;
	put("a letter, not a capture", 23);
	refused(-EPROTO, "neither pcap nor pcapng");
	len = 2;
	refused(-EPROTO, "neither pcap nor pcapng");
	capture(MICROSECONDS, USER0);
	refused(-EPROTONOSUPPORT, "link type unknown (147) is not supported");
}

static void missing_file_and_directory_are_named(void **state)
{
	(void)state;
	assert_int_equal(open_path("/nonexistent/x.pcap", NULL), -ENOENT);
	said("/nonexistent/x.pcap: No such file");
	assert_int_equal(open_path("/tmp", NULL), -EISDIR);
	said("/tmp: Is a directory");
}

static void impossible_length_names_the_frame(void **state)
{
	(void)state;
	capture(MICROSECONDS, ETHERNET);
	frame_numbered(1);
	put_u32(2);
	put_u32(0);
	put_u32(UINT32_MAX);
	put_u32(60);
	opened();
	expect_frame(1);
	assert_int_equal(next(), -EPROTO);
	said("frame 2: ");
	said("4294967295");
	said("flows up to here are kept");
}

static void cut_record_names_the_frame(void **state)
{
	(void)state;
	three_frames();
	len -= 20;
	opened();
	expect_frame(1);
	expect_frame(2);
	assert_int_equal(next(), -EPROTO);
	said("frame 3: ");
}

static void filter_selects_but_hides_nothing(void **state)
{
	(void)state;
	capture(MICROSECONDS, ETHERNET);
	record(1, 0, (uint8_t[60]){ 1, [12] = 0x86, [13] = 0xdd }, 60, 60);
	frame_numbered(2);
	save(bytes, len);
	assert_int_equal(open_path(path, "ip"), 0);
	expect_frame(1);
	assert_int_equal(selected, 0);
	expect_frame(2);
	assert_int_equal(selected, 1);
}

static void filter_sees_the_bytes_as_captured(void **state)
{
	(void)state;
	capture(MICROSECONDS, COOKED);
	record(1, 0, (uint8_t[40]){ [14] = 0x08, [16] = 0x45 }, 40, 40);
	save(bytes, len);
	assert_int_equal(open_path(path, "ip and not ip6"), 0);
	assert_int_equal(next(), 1);
	assert_int_equal(selected, 1);
}

static void bad_filter_is_quoted(void **state)
{
	(void)state;
	three_frames();
	save(bytes, len);
	assert_int_equal(open_path(path, "tcp prot 80"), -EINVAL);
	said("\"tcp prot 80\"");
}

static void raw_ip_is_taken_as_it_is(void **state)
{
	(void)state;
	capture(MICROSECONDS, RAW);
	record(1, 0, "\x45rest", 5, 5);
	opened();
	expect_frame(0x45);
	assert_int_equal(frame.link, LINK_RAW_IP);
}

static void link_types_are_named_and_their_headers_left_alone(void **state)
{
	static const struct {
		uint32_t dlt;
		enum frame_link link;
	} links[] = {
		{ 1, LINK_ETHERNET },   { LOOPBACK, LINK_LOOPBACK }, { 108, LINK_LOOPBACK },
		{ RAW, LINK_RAW_IP },   { 228, LINK_RAW_IP },        { 229, LINK_RAW_IP },
		{ COOKED, LINK_COOKED }, { COOKED2, LINK_COOKED2 },  { 9, LINK_PPP },
		{ 50, LINK_PPP },       { 166, LINK_PPP_WITH_DIRECTION },
		{ 204, LINK_PPP_WITH_DIRECTION }, { 51, LINK_PPPOE }, { 104, LINK_HDLC },
		{ WIFI, LINK_WLAN },    { 127, LINK_RADIOTAP },      { 239, LINK_NFLOG },
		{ 10, LINK_FDDI },      { 100, LINK_LLC },           { 219, LINK_MPLS },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		capture(MICROSECONDS, links[i].dlt);
		record(1, 0, (uint8_t[40]){ 0xab }, 40, 50);
		opened();
		expect_frame(0xab);
		assert_int_equal(frame.link, links[i].link);
		assert_int_equal(frame.wire_bytes, 50);
	}
}

static void cut_link_headers_do_no_harm(void **state)
{
	static const uint32_t links[] = { LOOPBACK, COOKED, COOKED2 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		capture(MICROSECONDS, links[i]);
		record(1, 0, "\x08", 1, 60);
		record(1, 0, "", 0, 0);
		opened();
		assert_int_equal(next(), 1);
		assert_true(frame.data <= frame.end);
		assert_int_equal(next(), 1);
		assert_true(frame.data <= frame.end);
		assert_int_equal(next(), 0);
	}
}

static int set_up(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pcap_source_close(source);
	source = NULL;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_in_order),
		cmocka_unit_test(frame_says_where_it_comes_from),
		cmocka_unit_test(microseconds_become_nanoseconds),
		cmocka_unit_test(nanoseconds_stay),
		cmocka_unit_test(cut_frame_keeps_its_wire_length),
		cmocka_unit_test(wire_length_is_at_least_the_captured_one),
		cmocka_unit_test(gzip_is_unpacked),
		cmocka_unit_test(gzip_members_follow_each_other),
		cmocka_unit_test(gzip_that_ends_early_keeps_what_came),
		cmocka_unit_test(damaged_gzip_is_named),
		cmocka_unit_test(zstd_is_unpacked),
		cmocka_unit_test(zstd_that_ends_early_is_named),
		cmocka_unit_test(other_packers_get_the_way_out),
		cmocka_unit_test(standard_input_may_be_packed_or_not),
		cmocka_unit_test(position_ends_at_the_size),
		cmocka_unit_test(bad_files_are_named),
		cmocka_unit_test(missing_file_and_directory_are_named),
		cmocka_unit_test(impossible_length_names_the_frame),
		cmocka_unit_test(cut_record_names_the_frame),
		cmocka_unit_test(filter_selects_but_hides_nothing),
		cmocka_unit_test(filter_sees_the_bytes_as_captured),
		cmocka_unit_test(bad_filter_is_quoted),
		cmocka_unit_test(raw_ip_is_taken_as_it_is),
		cmocka_unit_test(link_types_are_named_and_their_headers_left_alone),
		cmocka_unit_test(cut_link_headers_do_no_harm),
	};

	return cmocka_run_group_tests_name("pcap_source", tests, set_up, tear_down);
}
