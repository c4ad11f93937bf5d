/* SPDX-License-Identifier: GPL-2.0-only */
/* pcapng records: interfaces of any link type and clock, both byte orders, every kind of packet, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>

#include "pcapng_records.h"

#define SECTION 0x0a0d0d0a
#define INTERFACE 1
#define SIMPLE_PACKET 3
#define ENHANCED_PACKET 6

static uint8_t bytes[64 * 1024];
static size_t len, given, block_at;
static bool swapped;

static struct pcapng_records records;
static struct pcap_record record;
static const struct pcapng_interface *interface;
static char reason[256];

/* ------------------------------------------------------------------ the file under construction */

static void put(const void *data, size_t size)
{
	assert_true(len + size <= sizeof(bytes));
	memcpy(bytes + len, data, size);
	len += size;
}

static void u16(uint16_t half)
{
	half = swapped ? __builtin_bswap16(half) : half;
	put(&half, sizeof(half));
}

static void u32(uint32_t word)
{
	word = swapped ? __builtin_bswap32(word) : word;
	put(&word, sizeof(word));
}

static void block(uint32_t type)
{
	block_at = len;
	u32(type);
	u32(0);
}

static void block_ends(void)
{
	size_t end;

	while (len % 4)
		put("", 1);
	u32((uint32_t)(len + 4 - block_at));
	end = len;
	len = block_at + 4;
	u32((uint32_t)(end - block_at));
	len = end;
}

static void section(void)
{
	block(SECTION);
	u32(0x1a2b3c4d);
	u16(1);
	u16(0);
	u32(0xffffffff);
	u32(0xffffffff);
	block_ends();
}

static void interface_with(uint16_t link_type, int resolution, uint32_t offset_s)
{
	block(INTERFACE);
	u16(link_type);
	u16(0);
	u32(0);
	if (resolution >= 0) {
		u16(9);
		u16(1);
		put((uint8_t[4]){ (uint8_t)resolution }, 4);
	}
	if (offset_s) {
		u16(14);
		u16(8);
		u32(swapped ? 0 : offset_s);
		u32(swapped ? offset_s : 0);
	}
	u16(0);
	u16(0);
	block_ends();
}

static void packet(uint32_t from, uint32_t ticks, const char *text)
{
	block(ENHANCED_PACKET);
	u32(from);
	u32(0);
	u32(ticks);
	u32((uint32_t)strlen(text));
	u32((uint32_t)strlen(text) + 100);
	put(text, strlen(text));
	block_ends();
}

static int forget_file(void **state)
{
	(void)state;
	len = given = 0;
	swapped = false;
	return 0;
}

static int forget_records(void **state)
{
	(void)state;
	pcapng_records_close(&records);
	return 0;
}

/* One byte at a time: whatever waits is never more than was asked for. */
static ssize_t hand_out(void *cookie, char *at, size_t size)
{
	(void)cookie;
	if (!size || given == len)
		return 0;
	*at = (char)bytes[given++];
	return 1;
}

static void opened(void)
{
	size_t first = len < 24 ? len : 24;

	given = first;
	assert_true(pcapng_records_know(bytes, first));
	assert_int_equal(pcapng_records_open(&records, bytes, first, hand_out, NULL), 0);
}

static int next(void)
{
	return pcapng_records_next(&records, &record, &interface, reason, sizeof(reason));
}

static void expect(const char *text, uint16_t link_type, uint64_t time_ns)
{
	assert_int_equal(next(), 1);
	assert_int_equal(record.captured, strlen(text));
	assert_memory_equal(record.bytes, text, strlen(text));
	assert_int_equal(interface->link_type, link_type);
	assert_int_equal(record.time_ns, time_ns);
}

/* ------------------------------------------------------------------ tests */

static void each_packet_has_the_link_type_and_clock_of_its_interface(void **state)
{
	(void)state;
	section();
	interface_with(1, -1, 0);      /* microseconds, when nothing is said */
	interface_with(113, 9, 0);     /* nanoseconds */
	interface_with(101, 0x8a, 0);  /* 1/1024 s */
	interface_with(1, 3, 1000);    /* milliseconds, counted from second 1000 on */
	packet(1, 5, "cooked");
	packet(0, 5, "ether");
	packet(2, 512, "raw");
	packet(3, 5, "late");
	opened();
	expect("cooked", 113, 5);
	assert_int_equal(record.wire_bytes, 106);
	assert_int_equal(interface->number, 2);
	expect("ether", 1, 5000);
	expect("raw", 101, 500000000);
	expect("late", 1, 1000005000000ull);
	assert_int_equal(next(), 0);
}

static void a_file_of_the_other_byte_order_says_the_same(void **state)
{
	swapped = true;
	each_packet_has_the_link_type_and_clock_of_its_interface(state);
}

static void a_section_has_interfaces_of_its_own(void **state)
{
	(void)state;
	section();
	interface_with(1, -1, 0);
	packet(0, 1, "one");
	swapped = true;
	section();
	interface_with(113, -1, 0);
	packet(0, 2, "two");
	opened();
	expect("one", 1, 1000);
	expect("two", 113, 2000);
	assert_int_equal(interface->number, 2); /* of the file */
}

static void other_blocks_are_stepped_over(void **state)
{
	(void)state;
	section();
	block(4); /* names */
	block_ends();
	interface_with(1, -1, 0);
	block(0x80000bad);
	put("something", 9);
	block_ends();
	packet(0, 1, "one");
	opened();
	expect("one", 1, 1000);
	assert_int_equal(next(), 0);
}

static void a_simple_packet_has_no_time_and_the_length_it_says(void **state)
{
	(void)state;
	section();
	interface_with(1, -1, 0);
	block(SIMPLE_PACKET);
	u32(5);
	put("12345", 5);
	block_ends();
	block(SIMPLE_PACKET);
	u32(1500);
	put("cut.", 4);
	block_ends();
	opened();
	expect("12345", 1, 0);
	expect("cut.", 1, 0);
	assert_int_equal(record.wire_bytes, 1500);
}

/* What fills its last word is none of its bytes. */
static void a_simple_packet_ends_at_the_snaplen(void **state)
{
	(void)state;
	section();
	block(INTERFACE);
	u16(1);
	u16(0);
	u32(5);
	block_ends();
	block(SIMPLE_PACKET);
	u32(1500);
	put("12345\0\0\0", 8);
	block_ends();
	opened();
	expect("12345", 1, 0);
	assert_int_equal(record.captured, 5);
	assert_int_equal(record.wire_bytes, 1500);
}

static void the_first_interface_is_known_before_any_packet(void **state)
{
	(void)state;
	section();
	interface_with(113, -1, 0);
	packet(0, 1, "one");
	opened();
	assert_int_equal(pcapng_records_first(&records, &interface, reason, sizeof(reason)), 1);
	assert_int_equal(interface->link_type, 113);
	expect("one", 113, 1000);
}

static void refused(const char *why)
{
	opened();
	assert_int_equal(next(), -EPROTO);
	assert_non_null(strstr(reason, why));
	pcapng_records_close(&records);
	len = 0;
	section();
	interface_with(1, -1, 0);
}

static void damage_says_what_and_where(void **state)
{
	(void)state;
	section();
	len -= 3;
	refused("the file ends inside a block, after 25 of 28 bytes");
	len -= 27;
	refused("the file ends inside a block, after");
	packet(1, 1, "one");
	refused("a packet came from interface 1, of 1 there are");
	packet(0, 1, "one");
	bytes[block_at + 8 + 12] = 200;
	refused("claims 200 captured bytes");
	packet(0, 1, "one");
	bytes[len - 4]++;
	refused("the two lengths of a block differ");
	packet(0, 1, "one");
	bytes[block_at + 4] = 13;
	refused("a block claims 13 bytes");
	packet(0, 1, "one");
	bytes[block_at + 7] = 0x7f;
	refused("a block claims 2130706");
	block(ENHANCED_PACKET);
	block_ends();
	refused("a packet block is too short");
	bytes[12] = 2;
	refused("pcapng version 2.0 is not known");
	bytes[8] = 0;
	refused("a section has no byte order");
	interface_with(1, 20, 0);
	refused("interface block 2 has a clock of no use");
	block(INTERFACE);
	u32(1);
	u32(0);
	u16(9);
	u16(50);
	block_ends();
	refused("an option of interface block 2 is longer than its block");
}

int main(void)
{
#define ng_test(name) cmocka_unit_test_setup_teardown(name, forget_file, forget_records)
	const struct CMUnitTest tests[] = {
		ng_test(each_packet_has_the_link_type_and_clock_of_its_interface),
		ng_test(a_file_of_the_other_byte_order_says_the_same),
		ng_test(a_section_has_interfaces_of_its_own),
		ng_test(other_blocks_are_stepped_over),
		ng_test(a_simple_packet_has_no_time_and_the_length_it_says),
		ng_test(a_simple_packet_ends_at_the_snaplen),
		ng_test(the_first_interface_is_known_before_any_packet),
		ng_test(damage_says_what_and_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
