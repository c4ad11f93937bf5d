/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of the pcap filter language the kernel side understands: host, net, port, ip, ip6, tcp. */
#ifndef ACKMON_FILTER_H
#define ACKMON_FILTER_H

#include <stddef.h>

#include "abi/config.h"

/*
 * Fills config->filter from words joined by "and". 0, or -EINVAL with one sentence in ret_error
 * that names the word not understood and says what is (capture files take the whole language).
 * NULL or an empty text selects everything.
 */
int filter_parse(const char *text, struct filter_term terms[FILTER_TERMS_MAX], char *ret_error,
		 size_t error_size);

#endif
