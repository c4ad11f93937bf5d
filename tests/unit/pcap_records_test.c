/* SPDX-License-Identifier: GPL-2.0-only */
/* Classic pcap records: both byte orders, both clocks, cut files, frames of any size, bytes in any portions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>

#include "pcap_records.h"

#define MICROSECONDS 0xa1b2c3d4
#define NANOSECONDS 0xa1b23c4d

static uint8_t header[PCAP_FILE_HEADER_BYTES];
static bool swapped;

/* What follows the header, and how it is handed out. */
static uint8_t bytes[2 * 1024 * 1024];
static size_t len, given, portion;
static bool fails;

static struct pcap_records records;
static struct pcap_record record;
static char reason[256];

static uint32_t order(uint32_t word)
{
	return swapped ? __builtin_bswap32(word) : word;
}

static void put(const void *data, size_t size)
{
	assert_true(len + size <= sizeof(bytes));
	memcpy(bytes + len, data, size);
	len += size;
}

static void put_u32(uint32_t word)
{
	word = order(word);
	put(&word, sizeof(word));
}

static void file(uint32_t magic, uint32_t snaplen)
{
	uint32_t words[6] = {magic, swapped ? 2u << 16 | 4 : 2 | 4u << 16, 0, 0, snaplen, 1};
	int i;

	for (i = 0; i < 6; i++)
		words[i] = i == 1 && swapped ? __builtin_bswap32(words[i]) : order(words[i]);
	memcpy(header, words, sizeof(header));
	len = given = 0;
	portion = sizeof(bytes);
	fails = false;
}

static void frame(uint32_t time_s, uint32_t fraction, uint8_t fill, uint32_t captured, uint32_t wire)
{
	put_u32(time_s);
	put_u32(fraction);
	put_u32(captured);
	put_u32(wire);
	assert_true(len + captured <= sizeof(bytes));
	memset(bytes + len, fill, captured);
	len += captured;
}

static ssize_t hand_out(void *cookie, char *to, size_t size)
{
	size_t left = len - given;

	assert_ptr_equal(cookie, bytes);
	if (fails)
		return -1;
	if (size > portion)
		size = portion;
	if (size > left)
		size = left;
	memcpy(to, bytes + given, size);
	given += size;
	return (ssize_t)size;
}

static void opened(void)
{
	assert_true(pcap_records_know(header));
	assert_int_equal(pcap_records_open(&records, header, hand_out, bytes), 0);
}

static int next(void)
{
	reason[0] = '\0';
	return pcap_records_next(&records, &record, reason, sizeof(reason));
}

static int reset(void **state)
{
	(void)state;
	swapped = false;
	return 0;
}

static int closed(void **state)
{
	(void)state;
	pcap_records_close(&records);
	return 0;
}

static void expect(uint64_t time_ns, uint8_t fill, uint32_t captured, uint32_t wire)
{
	if (next() != 1)
		fail_msg("no frame: %s", reason);
	assert_int_equal(record.time_ns, time_ns);
	assert_int_equal(record.captured, captured);
	assert_int_equal(record.wire_bytes, wire);
	if (captured) {
		assert_int_equal(record.bytes[0], fill);
		assert_int_equal(record.bytes[captured - 1], fill);
	}
}

static void microseconds_and_nanoseconds_become_nanoseconds(void **state)
{
	(void)state;
	file(MICROSECONDS, 65535);
	frame(3, 5, 'a', 4, 4);
	opened();
	expect(3000005000, 'a', 4, 4);
	pcap_records_close(&records);
	file(NANOSECONDS, 65535);
	frame(3, 5, 'a', 4, 4);
	opened();
	expect(3000000005, 'a', 4, 4);
}

static void other_byte_order_reads_the_same(void **state)
{
	(void)state;
	swapped = true;
	file(MICROSECONDS, 65535);
	frame(3, 5, 'a', 4, 1514);
	opened();
	expect(3000005000, 'a', 4, 1514);
	assert_int_equal(next(), 0);
}

static void times_beyond_2038_do_not_wrap(void **state)
{
	(void)state;
	file(MICROSECONDS, 65535);
	frame(0xf0000000, 0, 'a', 4, 4);
	opened();
	expect(0xf0000000ull * 1000000000, 'a', 4, 4);
}

static void file_of_another_version_is_left_to_libpcap(void **state)
{
	(void)state;
	file(MICROSECONDS, 65535);
	header[6] = 3; /* the lengths may be the other way round */
	assert_false(pcap_records_know(header));
	file(0xa1b2cd34, 65535); /* records with more fields */
	assert_false(pcap_records_know(header));
	file(0x0a0d0d0a, 65535); /* pcapng */
	assert_false(pcap_records_know(header));
}

static void bytes_may_come_one_by_one(void **state)
{
	(void)state;
	file(MICROSECONDS, 65535);
	frame(1, 0, 'a', 60, 60);
	frame(2, 0, 'b', 0, 60);
	frame(3, 0, 'c', 60, 60);
	portion = 1;
	opened();
	expect(1000000000, 'a', 60, 60);
	expect(2000000000, 0, 0, 60);
	expect(3000000000, 'c', 60, 60);
	assert_int_equal(next(), 0);
}

static void frame_is_shown_before_the_next_one_came(void **state)
{
	(void)state;
	file(MICROSECONDS, 65535);
	frame(1, 0, 'a', 60, 60);
	portion = len; /* what a live pipe holds by now */
	frame(2, 0, 'b', 60, 60);
	opened();
	expect(1000000000, 'a', 60, 60);
	assert_int_equal(given, portion);
}

static void frames_larger_than_the_buffer_are_whole(void **state)
{
	(void)state;
	file(MICROSECONDS, 1 << 20);
	frame(1, 0, 'a', 60, 60);
	frame(2, 0, 'b', 700000, 700000);
	frame(3, 0, 'c', 60, 60);
	portion = 1000;
	opened();
	expect(1000000000, 'a', 60, 60);
	expect(2000000000, 'b', 700000, 700000);
	expect(3000000000, 'c', 60, 60);
}

static void what_lies_beyond_the_snaplen_is_not_shown(void **state)
{
	(void)state;
	file(MICROSECONDS, 96);
	frame(1, 0, 'a', 200, 1514);
	frame(2, 0, 'b', 60, 60);
	opened();
	expect(1000000000, 'a', 96, 1514);
	expect(2000000000, 'b', 60, 60);
}

static void snaplen_of_zero_is_no_limit(void **state)
{
	(void)state;
	file(MICROSECONDS, 0);
	frame(1, 0, 'a', 70000, 70000);
	opened();
	expect(1000000000, 'a', 70000, 70000);
}

static void record_that_claims_too_much_is_damaged(void **state)
{
	(void)state;
	file(MICROSECONDS, 65535);
	frame(1, 0, 'a', 60, 60);
	frame(2, 0, 'b', 262145, 262145);
	opened();
	expect(1000000000, 'a', 60, 60);
	assert_int_equal(next(), -EPROTO);
	assert_string_equal(reason, "the record claims 262145 captured bytes, more than the 262144 there can be");
}

/* Else 600 kB of a packed file take as much memory as they unpack to. */
static void header_that_allows_everything_is_not_believed(void **state)
{
	(void)state;
	file(MICROSECONDS, INT32_MAX);
	put_u32(1);
	put_u32(0);
	put_u32(16 * 1024 * 1024 + 1);
	put_u32(16 * 1024 * 1024 + 1);
	opened();
	assert_int_equal(next(), -EPROTO);
	assert_string_equal(reason, "the record claims 16777217 captured bytes, more than the 16777216 there can be");
}

/* Memory is taken for what comes, not for what is claimed. */
static void lying_record_takes_no_memory(void **state)
{
	(void)state;
	file(MICROSECONDS, 0x7fffffff);
	put_u32(1);
	put_u32(0);
	put_u32(0x1000000);
	put_u32(0x1000000);
	put("few", 3);
	opened();
	assert_int_equal(next(), -EPROTO);
	assert_string_equal(reason, "the file ends inside a frame, after 3 of 16777216 bytes");
	assert_true(records.buffer.size <= 1 << 20);
}

static void cut_files_say_where(void **state)
{
	(void)state;
	file(MICROSECONDS, 65535);
	frame(1, 0, 'a', 60, 60);
	len -= 20;
	opened();
	assert_int_equal(next(), -EPROTO);
	assert_string_equal(reason, "the file ends inside a frame, after 40 of 60 bytes");
	pcap_records_close(&records);
	file(MICROSECONDS, 65535);
	put_u32(1);
	put_u32(0);
	opened();
	assert_int_equal(next(), -EPROTO);
	assert_string_equal(reason, "the file ends inside a record header, after 8 of 16 bytes");
}

static void failing_read_is_told(void **state)
{
	(void)state;
	file(MICROSECONDS, 65535);
	frame(1, 0, 'a', 60, 60);
	opened();
	fails = true;
	assert_int_equal(next(), -EIO);
}

#define test(name) cmocka_unit_test_setup_teardown(name, reset, closed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(microseconds_and_nanoseconds_become_nanoseconds),
		test(other_byte_order_reads_the_same),
		test(times_beyond_2038_do_not_wrap),
		test(file_of_another_version_is_left_to_libpcap),
		test(bytes_may_come_one_by_one),
		test(frame_is_shown_before_the_next_one_came),
		test(frames_larger_than_the_buffer_are_whole),
		test(what_lies_beyond_the_snaplen_is_not_shown),
		test(snaplen_of_zero_is_no_limit),
		test(record_that_claims_too_much_is_damaged),
		test(header_that_allows_everything_is_not_believed),
		test(lying_record_takes_no_memory),
		test(cut_files_say_where),
		test(failing_read_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
