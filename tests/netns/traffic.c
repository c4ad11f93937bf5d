/* SPDX-License-Identifier: GPL-2.0-only */
/* Real TCP connections, bounded in number and time, and what the kernel itself says about each. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/tcp.h> /* netinet/tcp.h has a shorter struct tcp_info */

#define CHUNK_MAX (64 * 1024)
#define SETTLE_US 15000000 /* a FIN whose ACK is lost five times needs 13 s */
#define SERVED_AT_ONCE 4096
#define STATE_CLOSE 7     /* TCP_CLOSE of the kernel */

/* What the client asks for, sent before each request. */
struct request {
	uint32_t request_bytes_be32;
	uint32_t response_bytes_be32;
	uint32_t flags_be32; /* enum request_flags */
};

enum request_flags {
	REQUEST_LAST = 1,         /* no other one follows */
	REQUEST_SERVER_CLOSES = 2, /* the server sends the first FIN */
};

struct arguments {
	bool server;
	const char *address;
	uint16_t port;
	unsigned int count;    /* connections */
	unsigned int parallel;
	unsigned int rounds;   /* requests on each connection */
	uint32_t request_bytes;
	uint32_t response_bytes;
	uint32_t chunk_bytes;
	unsigned int pause_ms; /* between rounds */
	unsigned int gap_ms;   /* between connections */
	unsigned int stall_ms; /* before the response is read */
	int receive_buffer;
	int keepalive_s;
	int syn_tries;
	unsigned int seconds;  /* at most */
	uint16_t local_port;
	bool server_closes;
	bool half_close; /* the FIN goes out behind the last request */
	bool reset;            /* ends with RST instead of FIN */
};

static struct arguments arguments = {
	.port = 8080,
	.count = 1,
	.parallel = 1,
	.rounds = 1,
	.request_bytes = 200,
	.response_bytes = 10000,
	.chunk_bytes = CHUNK_MAX,
	.seconds = 30,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* output, and what is left to do */
static unsigned int taken;  /* connections begun, of arguments.count */
static unsigned int failed;

static const char usage[] =
	"usage: traffic server [--port N] [--count N] [--seconds N]\n"
	"       traffic client ADDRESS [--port N] [--count N] [--parallel N] [--rounds N] [--request BYTES]\n"
	"               [--response BYTES] [--chunk BYTES] [--pause MS] [--gap MS] [--stall MS] [--rcvbuf BYTES]\n"
	"               [--keepalive S] [--syn-tries N] [--seconds N] [--bind PORT] [--server-closes] [--half-close]\n"
	"               [--reset]\n"
	"One CSV line for each connection when it is over; absent values are empty.\n";

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	if (ms)
		nanosleep(&pause, NULL);
}

static void set_option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		perror("traffic: setsockopt");
}

static bool send_bytes(int fd, uint64_t bytes, const void *head, size_t head_len)
{
	static const char filler[CHUNK_MAX];

	if (head_len && send(fd, head, head_len, MSG_NOSIGNAL | (bytes ? MSG_MORE : 0)) < 0)
		return false;
	while (bytes) {
		size_t len = bytes < arguments.chunk_bytes ? (size_t)bytes : arguments.chunk_bytes;
		ssize_t sent = send(fd, filler, len, MSG_NOSIGNAL);

		if (sent < 0)
			return false;
		bytes -= (uint64_t)sent;
	}
	return true;
}

static bool receive_bytes(int fd, uint64_t bytes)
{
	static __thread char sink[CHUNK_MAX];

	while (bytes) {
		ssize_t len = recv(fd, sink, bytes < sizeof(sink) ? (size_t)bytes : sizeof(sink), 0);

		if (len <= 0)
			return false;
		bytes -= (uint64_t)len;
	}
	return true;
}

static bool receive_all(int fd, void *bytes, size_t len)
{
	return recv(fd, bytes, len, MSG_WAITALL) == (ssize_t)len;
}

static bool get_info(int fd, struct tcp_info *ret_info)
{
	socklen_t size = sizeof(*ret_info);

	memset(ret_info, 0, sizeof(*ret_info));
	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret_info, &size);
}

/* A lost FIN is sent again after the last read: the counts are final when the kernel says closed. */
static void wait_until_closed(int fd)
{
	uint64_t until_us = now_us() + SETTLE_US;
	struct tcp_info info;

	while (get_info(fd, &info) && info.tcpi_state != STATE_CLOSE && now_us() < until_us)
		sleep_ms(1);
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
	return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

static int family_of(const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	return address->ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? 6 : 4;
}

static void print_header(void)
{
	puts("end,family,client_port,server_port,outcome,connect_us,total_retrans,bytes_retrans,rtt_us,"
	     "min_rtt_us,segs_out,data_segs_out,bytes_sent,bytes_received,dsack_dups,reord_seen");
	fflush(stdout);
}

static void print_info(int fd)
{
	struct tcp_info info;

	get_info(fd, &info);
	printf("%u,%llu,%u,%u,%u,%u,%llu,%llu,%u,%u\n", info.tcpi_total_retrans,
	       (unsigned long long)info.tcpi_bytes_retrans, info.tcpi_rtt, info.tcpi_min_rtt,
	       info.tcpi_segs_out, info.tcpi_data_segs_out,
	       (unsigned long long)info.tcpi_bytes_sent,
	       (unsigned long long)info.tcpi_bytes_received, info.tcpi_dsack_dups,
	       info.tcpi_reord_seen);
}

/* other has the port of the client; a connect() that failed leaves no counts behind. */
static void print_connection(int fd, const struct sockaddr_storage *other, const char *outcome,
			     uint64_t connect_us)
{
	pthread_mutex_lock(&lock);
	printf("%s,%d,%u,%u,%s,", arguments.server ? "server" : "client", family_of(other),
	       port_of(other), arguments.port, outcome);
	if (connect_us)
		printf("%llu", (unsigned long long)connect_us);
	putchar(',');
	if (arguments.server || connect_us)
		print_info(fd);
	else
		puts(",,,,,,,,,");
	fflush(stdout);
	pthread_mutex_unlock(&lock);
}

static const char *outcome_of(bool good)
{
	if (good)
		return "done";
	switch (errno) {
	case ECONNREFUSED:
		return "refused";
	case ECONNRESET:
	case EPIPE:
		return "reset";
	case ETIMEDOUT:
	case EAGAIN:
	case EINPROGRESS: /* SO_SNDTIMEO ended connect() */
		return "timeout";
	case EHOSTUNREACH:
	case ENETUNREACH:
		return "unreachable";
	default:
		return "failed";
	}
}

static void set_timeouts(int fd)
{
	struct timeval most = { .tv_sec = arguments.seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
}

/* Both ends say goodbye; the client first unless asked otherwise. */
static bool say_goodbye(int fd, bool first)
{
	char byte;
	bool good;

	if (first)
		shutdown(fd, SHUT_WR);
	good = recv(fd, &byte, 1, 0) == 0;
	if (!first)
		shutdown(fd, SHUT_WR);
	wait_until_closed(fd);
	return good;
}

static void reset_at_close(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* The server's side. */

static bool serve_requests(int fd)
{
	struct request request;
	uint32_t flags;

	do {
		if (!receive_all(fd, &request, sizeof(request)))
			return false;
		flags = ntohl(request.flags_be32);
		if (!receive_bytes(fd, ntohl(request.request_bytes_be32)) ||
		    !send_bytes(fd, ntohl(request.response_bytes_be32), NULL, 0))
			return false;
	} while (!(flags & REQUEST_LAST));
	return say_goodbye(fd, flags & REQUEST_SERVER_CLOSES);
}

static void *serve(void *argument)
{
	struct sockaddr_storage peer = { .ss_family = AF_INET };
	socklen_t len = sizeof(peer);
	int fd = (int)(intptr_t)argument;
	bool good;

	/* Asked now: a closed socket has forgotten it. */
	if (getpeername(fd, (struct sockaddr *)&peer, &len))
		perror("traffic: getpeername");
	set_timeouts(fd);
	errno = 0;
	good = serve_requests(fd);
	print_connection(fd, &peer, outcome_of(good), 0);
	close(fd);
	return NULL;
}

static int listen_everywhere(void)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6,
					.sin6_port = htons(arguments.port) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_timeouts(fd);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1024))
		return -1;
	return fd;
}

static int run_server(void)
{
	pthread_t *thread = calloc(arguments.count, sizeof(*thread));
	int fd = listen_everywhere();
	unsigned int begun = 0;
	unsigned int i;

	if (fd < 0 || !thread) {
		perror("traffic: server");
		free(thread);
		return 1;
	}
	print_header();
	while (begun < arguments.count) {
		int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (connection < 0)
			break;
		/* Threads that nobody joined are counted by the kernel, and there is an end to them. */
		if (begun >= SERVED_AT_ONCE)
			pthread_join(thread[begun - SERVED_AT_ONCE], NULL);
		if (pthread_create(&thread[begun], NULL, serve, (void *)(intptr_t)connection))
			close(connection);
		else
			begun++;
	}
	for (i = begun > SERVED_AT_ONCE ? begun - SERVED_AT_ONCE : 0; i < begun; i++)
		pthread_join(thread[i], NULL);
	close(fd);
	free(thread);
	return begun == arguments.count ? 0 : 1;
}

/* The client's side. */

static bool client_address(struct sockaddr_storage *ret_address, socklen_t *ret_len, uint16_t port,
			   const char *text)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*ret_len = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*ret_len = sizeof(*v6);
		return true;
	}
	return false;
}

/* The port is taken before connect(), so that it is known even when that fails. */
static void client_bind(int fd, int family, struct sockaddr_storage *ret_local)
{
	socklen_t len;

	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	client_address(ret_local, &len, arguments.local_port,
		       family == AF_INET ? "0.0.0.0" : "::");
	if (bind(fd, (struct sockaddr *)ret_local, len) ||
	    getsockname(fd, (struct sockaddr *)ret_local, &len))
		perror("traffic: bind");
}

static int client_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	set_timeouts(fd);
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (arguments.receive_buffer)
		set_option(fd, SOL_SOCKET, SO_RCVBUF, arguments.receive_buffer);
	if (arguments.syn_tries)
		set_option(fd, IPPROTO_TCP, TCP_SYNCNT, arguments.syn_tries);
	if (arguments.keepalive_s) {
		set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, arguments.keepalive_s);
		set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, arguments.keepalive_s);
	}
	return fd;
}

static bool client_round(int fd, bool last)
{
	uint32_t flags = (last ? REQUEST_LAST : 0) |
			 (arguments.server_closes ? REQUEST_SERVER_CLOSES : 0);
	struct request request = { .request_bytes_be32 = htonl(arguments.request_bytes),
				   .response_bytes_be32 = htonl(arguments.response_bytes),
				   .flags_be32 = htonl(flags) };

	if (!send_bytes(fd, arguments.request_bytes, &request, sizeof(request)))
		return false;
	if (last && arguments.half_close)
		shutdown(fd, SHUT_WR);
	sleep_ms(arguments.stall_ms);
	return receive_bytes(fd, arguments.response_bytes);
}

static bool client_talk(int fd)
{
	unsigned int round;

	for (round = 1; round <= arguments.rounds; round++) {
		if (!client_round(fd, round == arguments.rounds && !arguments.reset))
			return false;
		if (round < arguments.rounds)
			sleep_ms(arguments.pause_ms);
	}
	if (!arguments.reset)
		return say_goodbye(fd, !arguments.server_closes);
	reset_at_close(fd);
	return true;
}

static void client_connection(void)
{
	struct sockaddr_storage address;
	struct sockaddr_storage local;
	socklen_t len;
	uint64_t connect_us = 0;
	uint64_t start_us;
	bool good;
	int fd;

	client_address(&address, &len, arguments.port, arguments.address);
	errno = 0;
	fd = client_socket(address.ss_family);
	if (fd < 0) {
		perror("traffic: socket");
		return;
	}
	client_bind(fd, address.ss_family, &local);
	start_us = now_us();
	good = !connect(fd, (struct sockaddr *)&address, len);
	if (good) {
		connect_us = now_us() - start_us;
		good = client_talk(fd);
	}
	print_connection(fd, &local, outcome_of(good), connect_us);
	close(fd);
	if (!good)
		__sync_fetch_and_add(&failed, 1);
}

static void *client_work(void *argument)
{
	uint64_t until_us = now_us() + arguments.seconds * 1000000ULL;

	(void)argument;
	while (now_us() < until_us && __sync_fetch_and_add(&taken, 1) < arguments.count) {
		client_connection();
		sleep_ms(arguments.gap_ms);
	}
	return NULL;
}

static int run_client(void)
{
	pthread_t *thread = calloc(arguments.parallel, sizeof(*thread));
	unsigned int begun = 0;
	unsigned int i;

	if (!thread)
		return 1;
	print_header();
	while (begun < arguments.parallel &&
	       !pthread_create(&thread[begun], NULL, client_work, NULL))
		begun++;
	for (i = 0; i < begun; i++)
		pthread_join(thread[i], NULL);
	free(thread);
	return failed ? 1 : 0;
}

static void __attribute__((noreturn)) refuse(void)
{
	fputs(usage, stderr);
	exit(2);
}

static unsigned int parse_number(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (end == text || *end || number > UINT32_MAX)
		refuse();
	return (unsigned int)number;
}

static void parse_option(int option, const char *value)
{
	switch (option) {
	case 'p': arguments.port = (uint16_t)parse_number(value); break;
	case 'c': arguments.count = parse_number(value); break;
	case 'P': arguments.parallel = parse_number(value); break;
	case 'n': arguments.rounds = parse_number(value); break;
	case 'q': arguments.request_bytes = parse_number(value); break;
	case 'r': arguments.response_bytes = parse_number(value); break;
	case 'k': arguments.chunk_bytes = parse_number(value); break;
	case 'w': arguments.pause_ms = parse_number(value); break;
	case 'g': arguments.gap_ms = parse_number(value); break;
	case 's': arguments.stall_ms = parse_number(value); break;
	case 'b': arguments.receive_buffer = (int)parse_number(value); break;
	case 'a': arguments.keepalive_s = (int)parse_number(value); break;
	case 'y': arguments.syn_tries = (int)parse_number(value); break;
	case 't': arguments.seconds = parse_number(value); break;
	case 'l': arguments.local_port = (uint16_t)parse_number(value); break;
	case 'f': arguments.server_closes = true; break;
	case 'h': arguments.half_close = true; break;
	case 'x': arguments.reset = true; break;
	default: refuse();
	}
}

static void parse_arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "count", required_argument, NULL, 'c' },
		{ "parallel", required_argument, NULL, 'P' },
		{ "rounds", required_argument, NULL, 'n' },
		{ "request", required_argument, NULL, 'q' },
		{ "response", required_argument, NULL, 'r' },
		{ "chunk", required_argument, NULL, 'k' },
		{ "pause", required_argument, NULL, 'w' },
		{ "gap", required_argument, NULL, 'g' },
		{ "stall", required_argument, NULL, 's' },
		{ "rcvbuf", required_argument, NULL, 'b' },
		{ "keepalive", required_argument, NULL, 'a' },
		{ "syn-tries", required_argument, NULL, 'y' },
		{ "seconds", required_argument, NULL, 't' },
		{ "bind", required_argument, NULL, 'l' },
		{ "server-closes", no_argument, NULL, 'f' },
		{ "half-close", no_argument, NULL, 'h' },
		{ "reset", no_argument, NULL, 'x' },
		{ NULL, 0, NULL, 0 },
	};
	struct sockaddr_storage address;
	socklen_t len;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		parse_option(option, optarg);
	argc -= optind;
	argv += optind;

	arguments.server = argc == 1 && !strcmp(argv[0], "server");
	if (!arguments.server && (argc != 2 || strcmp(argv[0], "client")))
		refuse();
	if (!arguments.server) {
		arguments.address = argv[1];
		if (!client_address(&address, &len, arguments.port, arguments.address))
			refuse();
	}
	if (!arguments.chunk_bytes || arguments.chunk_bytes > CHUNK_MAX)
		arguments.chunk_bytes = CHUNK_MAX;
}

int main(int argc, char **argv)
{
	parse_arguments(argc, argv);
	return arguments.server ? run_server() : run_client();
}
