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
 * Functions the verifier walks once, apart from their callers: it then knows nothing of their
 * arguments but types, so pointers are checked for NULL and paths do not multiply. Needs kernel 5.12.
 */
#ifdef __bpf__
#define core_apart __attribute__((noinline, weak))
#else
#define core_apart static inline __attribute__((unused))
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
#else
core_inline __u16 be16_to_host(__be16 x)
{
	return (__u16)x;
}
core_inline __u32 be32_to_host(__be32 x)
{
	return (__u32)x;
}
#endif

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

core_inline __u16 load_u16(const void *at)
{
	return be16_to_host(load_be16(at));
}

core_inline __u32 load_u32(const void *at)
{
	return be32_to_host(load_be32(at));
}

#endif
