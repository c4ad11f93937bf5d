/* SPDX-License-Identifier: GPL-2.0-only */
/* What is said of a failed attachment, and what the kernel and the libraries said of it. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach_internal.h"
#include "log.h"

/* What the kernel said when it refused the last netlink request; empty: nothing. */
static char kernel_message[256];

int attach_fail(char *ret_error, size_t error_size, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_error, error_size, format, args);
	va_end(args);
	return err;
}

/* Of a verifier's log its end tells why; the rest is what it walked on the way there. */
#define TOLD_LINES 8

static void tell_lines(const char *text)
{
	size_t left = 0, len = strcspn(text, "\n");

	log_debug("%.*s", (int)len, text);
	text += len;
	for (const char *at = text; *at; at++)
		left += *at == '\n' && at[1];
	for (; left; left--) {
		text++;
		len = strcspn(text, "\n");
		if (left <= TOLD_LINES)
			log_debug("  %.*s", (int)len, text);
		text += len;
	}
}

/* The libraries' warnings are details for -v: refusals are part of finding the way in. */
static void remember_warning(const char *format, va_list args)
{
	static const char prefix[] = "libbpf: Kernel error message: ";
	char *text;

	if (vasprintf(&text, format, args) < 0)
		return;
	if (!strncmp(text, prefix, strlen(prefix)))
		snprintf(kernel_message, sizeof(kernel_message), "%.*s",
			 (int)strcspn(text + strlen(prefix), "\n"), text + strlen(prefix));
	tell_lines(text);
	free(text);
}

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN)
		remember_warning(format, args);
	return 0;
}

static int print_libxdp(enum libxdp_print_level level, const char *format, va_list args)
{
	if (level == LIBXDP_WARN)
		remember_warning(format, args);
	return 0;
}

const char *attach_explain(int err)
{
	static char text[384];

	if (kernel_message[0])
		snprintf(text, sizeof(text), "%s: %s", strerror(-err), kernel_message);
	else
		snprintf(text, sizeof(text), "%s", strerror(-err));
	return text;
}

void attach_forget_kernel_message(void)
{
	kernel_message[0] = '\0';
}

void attach_listen_to_libraries(void)
{
	libbpf_set_print(print_libbpf);
	libxdp_set_print(print_libxdp);
}
