/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections one after the other, each a request and an answer of one byte: as many as the stack can. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static const char usage[] = "usage: connects server PORT\n"
			    "       connects client ADDRESS PORT CONNECTIONS REQUESTS\n"
			    "The client says how many requests it made a second.\n";

static void fail(const char *what)
{
	fprintf(stderr, "connects: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in address_of(const char *address, const char *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

	inet_pton(AF_INET, address, &in.sin_addr);
	return in;
}

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* Until the other end closes. */
static void answer(int fd)
{
	char byte;

	while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
		;
	close(fd);
}

static void __attribute__((noreturn)) serve(const char *port)
{
	struct sockaddr_in at = address_of("0.0.0.0", port);
	int listener = new_socket();

	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 128))
		fail("listen");
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0)
			answer(fd);
	}
}

static void ask(const struct sockaddr_in *to, unsigned int requests)
{
	int fd = new_socket();
	char byte = 'x';

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		fail("connect");
	while (requests--)
		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			fail("request");
	close(fd);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	unsigned int connections, requests, i;
	struct sockaddr_in to;
	double begin_s;

	if (argc == 3 && !strcmp(argv[1], "server"))
		serve(argv[2]);
	if (argc != 6 || strcmp(argv[1], "client")) {
		fputs(usage, stderr);
		return 2;
	}
	to = address_of(argv[2], argv[3]);
	connections = (unsigned int)strtoul(argv[4], NULL, 10);
	requests = (unsigned int)strtoul(argv[5], NULL, 10);
	begin_s = now_s();
	for (i = 0; i < connections; i++)
		ask(&to, requests);
	printf("%.0f\n", connections * (double)requests / (now_s() - begin_s));
	return 0;
}
