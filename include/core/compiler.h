/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between compilers and byte orders. */
#ifndef ACKMON_CORE_COMPILER_H
#define ACKMON_CORE_COMPILER_H

#include <linux/types.h>

#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif

#define core_inline static inline __attribute__((always_inline, unused))

/* One load or store, whatever the other CPU does meanwhile. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/*
 * The verifier walks every path as long as it knows something different on it, and paths through
 * headers and classes multiply. A value that went through memory it does not follow is just a number
 * again: paths that differed in it join here and are walked once. Other compilers see nothing.
 */
core_inline __u32 verifier_joins(__u32 *memory, __u32 value)
{
#ifdef __bpf__
	WRITE_ONCE(*memory, value);
	return READ_ONCE(*memory);
#else
	(void)memory;
	return value;
#endif
}

/*
 * The compiler may know nothing of this number: else it makes a branch of what was written without one. Nor where
 * this pointer comes from: see side.h.
 */
#define compiler_forgets(x) __asm__("" : "+r"(x))

/*
 * Functions the verifier walks once, apart from their callers: it then knows nothing of their
 * arguments but types, so pointers are checked for NULL and paths do not multiply.
 *
 * Before Linux 5.12 such functions take numbers alone. The programs for those kernels (ACKMON_OLDER) call
 * core_apart functions as part of their caller, which is walked at every call. Where that would be too
 * much, a core_cut function has a body with a name of its own, and kern/older.h calls it through a
 * function of numbers, which finds what the pointers pointed to again (core_cut_inline: and is inline for
 * newer ones). core_numbers functions have no pointers and are apart in either form. core_leaf functions
 * lie at the end of long ways down: apart, but in the form for old kernels, whose eighth frame they would be.
 */
#if defined(__bpf__) && defined(ACKMON_OLDER)
#define core_apart static __attribute__((noinline, unused))
#define core_leaf core_inline
#define core_cut core_inline
#define core_cut_inline core_inline
#define core_body(name) name##_body
#define core_numbers __attribute__((noinline, weak))
#elif defined(__bpf__)
#define core_apart __attribute__((noinline, weak))
#define core_leaf core_apart
#define core_cut core_apart
#define core_cut_inline core_inline
#define core_body(name) name
#define core_numbers core_apart
#else
#define core_apart static inline __attribute__((unused))
#define core_leaf core_apart
#define core_cut core_apart
#define core_cut_inline core_inline
#define core_body(name) name
#define core_numbers core_apart
#endif

/*
 * What stood there before; atomic_change() writes only where `before` stands. Before 5.12 no BPF
 * instruction does that: kern/older.h takes a lock, which is good enough for what is rare.
 */
#if defined(__bpf__) && defined(ACKMON_OLDER)
core_inline __u32 atomic_add(__u32 *at, __u32 value);
core_inline __u32 atomic_or(__u32 *at, __u32 bits);
core_inline __u32 atomic_change(__u32 *at, __u32 before, __u32 after);
#else
core_inline __u32 atomic_add(__u32 *at, __u32 value)
{
	return __sync_fetch_and_add(at, value);
}
core_inline __u32 atomic_or(__u32 *at, __u32 bits)
{
	return __sync_fetch_and_or(at, bits);
}
core_inline __u32 atomic_change(__u32 *at, __u32 before, __u32 after)
{
	return __sync_val_compare_and_swap(at, before, after);
}
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
core_inline __u16 be16_to_host(__be16 x)
{
	return __builtin_bswap16((__u16)x);
}
core_inline __u32 be32_to_host(__be32 x)
{
	return __builtin_bswap32((__u32)x);
}
core_inline __u64 be64_to_host(__be64 x)
{
	return __builtin_bswap64((__u64)x);
}
#else
core_inline __u16 be16_to_host(__be16 x)
{
	return (__u16)x;
}
core_inline __u32 be32_to_host(__be32 x)
{
	return (__u32)x;
}
core_inline __u64 be64_to_host(__be64 x)
{
	return (__u64)x;
}
#endif

core_inline __be16 host_to_be16(__u16 x)
{
	return (__be16)be16_to_host((__be16)x);
}

core_inline __be32 host_to_be32(__u32 x)
{
	return (__be32)be32_to_host((__be32)x);
}

/* What two words, or two halves of one, are in memory one behind the other. */
core_inline __u64 words_in_order(__u32 first, __u32 second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return first | (__u64)second << 32;
#else
	return (__u64)first << 32 | second;
#endif
}

core_inline __u32 halves_in_order(__u16 first, __u16 second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return first | (__u32)second << 16;
#else
	return (__u32)first << 16 | second;
#endif
}

/*
 * Numbers in a frame stand at any address. BPF loads them in one instruction all the same; other
 * compilers must be told, and find the one instruction themselves.
 */
core_inline __be16 load_be16(const void *at)
{
#ifdef __bpf__
	return *(const __be16 *)at;
#else
	__be16 value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
#endif
}

core_inline __be32 load_be32(const void *at)
{
#ifdef __bpf__
	return *(const __be32 *)at;
#else
	__be32 value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
#endif
}

/* Of eight octets that are something else elsewhere: the compiler may not think that they can not be the same. */
typedef __u64 octets_u64 __attribute__((may_alias));

core_inline __be64 load_be64(const void *at)
{
#ifdef __bpf__
	return (__be64)*(const octets_u64 *)at;
#else
	__be64 value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
#endif
}

core_inline void store_u64(void *at, __u64 value)
{
#ifdef __bpf__
	*(octets_u64 *)at = value;
#else
	__builtin_memcpy(at, &value, sizeof(value));
#endif
}

core_inline __u16 load_u16(const void *at)
{
	return be16_to_host(load_be16(at));
}

core_inline __u32 load_u32(const void *at)
{
	return be32_to_host(load_be32(at));
}

#endif
