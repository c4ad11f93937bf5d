/* SPDX-License-Identifier: GPL-2.0-only */
/* /metrics for whoever asks by HTTP: GET and HEAD only, few at a time, nobody for long. */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MAX 32u
#define CONNECTION_BYTES_MAX (32u * 1024) /* of headers and what goes with them */
#define CONNECTION_SECONDS_MAX 10u

struct http {
	struct MHD_Daemon *daemon;
	http_metrics_fn metrics;
	void *context;
	char *socket_path; /* to remove at the end; NULL: TCP */
};

/* Where to listen */

union address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
	struct sockaddr_un local;
};

static bool parse_port(const char *text, in_port_t *ret_port_be16)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || port > 65535)
		return false;
	*ret_port_be16 = htons((uint16_t)port);
	return true;
}

/* The part before the last colon, without the brackets of an IPv6 address. */
static bool parse_host(const char *text, size_t len, union address *ret_address)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (!len) {
		text = "127.0.0.1";
		len = strlen(text);
	}
	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	if (inet_pton(AF_INET, host, &ret_address->ipv4.sin_addr) == 1) {
		ret_address->any.sa_family = AF_INET;
		return true;
	}
	ret_address->any.sa_family = AF_INET6;
	return inet_pton(AF_INET6, host, &ret_address->ipv6.sin6_addr) == 1;
}

static socklen_t parse_address(const char *text, union address *ret_address)
{
	const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
	union address address = {};
	in_port_t port_be16;

	if (strchr(text, '/')) {
		address.local.sun_family = AF_UNIX;
		if (strlen(text) >= sizeof(address.local.sun_path))
			return 0;
		strcpy(address.local.sun_path, text);
		*ret_address = address;
		return sizeof(address.local);
	}
	if (!parse_port(port, &port_be16) || !parse_host(text, colon ? (size_t)(colon - text) : 0, &address))
		return 0;
	if (address.any.sa_family == AF_INET)
		address.ipv4.sin_port = port_be16;
	else
		address.ipv6.sin6_port = port_be16;
	*ret_address = address;
	return address.any.sa_family == AF_INET ? sizeof(address.ipv4) : sizeof(address.ipv6);
}

/* A socket that a killed run left behind answers nobody; one that answers is in use. */
static int remove_dead_socket(const struct sockaddr_un *local)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (lstat(local->sun_path, &st))
		err = errno == ENOENT ? 0 : -errno;
	else if (!S_ISSOCK(st.st_mode))
		err = -EEXIST;
	else if (!connect(fd, (const struct sockaddr *)local, sizeof(*local)))
		err = -EADDRINUSE;
	else if (unlink(local->sun_path))
		err = -errno;
	close(fd);
	return err;
}

static int listen_at(const union address *address, socklen_t len)
{
	int fd, yes = 1, err = 0;

	if (address->any.sa_family == AF_UNIX)
		err = remove_dead_socket(&address->local);
	if (err)
		return err;
	fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, &address->any, len) || listen(fd, (int)CONNECTIONS_MAX)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* Answers */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status,
			      const char *content_type, struct buffer *body)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	response = MHD_create_response_from_buffer(body->len, body->bytes, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		buffer_free(body);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", content_type);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned int status,
				   const char *text)
{
	struct buffer body = {0};

	buffer_text(&body, text);
	return body.failed ? MHD_NO : answer(connection, status, "text/plain; charset=utf-8", &body);
}

static enum MHD_Result answer_metrics(struct http *http, struct MHD_Connection *connection)
{
	enum metrics_format format = metrics_negotiate(
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept"));
	struct buffer body = {0};

	if (http->metrics(http->context, format, &body)) {
		buffer_free(&body);
		return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "The metrics could not be gathered; ackmon's log says why.\n");
	}
	return answer(connection, MHD_HTTP_OK, metrics_content_type(format), &body);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *body,
				  size_t *body_len, void **request)
{
	static int seen;
	struct http *http = context;

	(void)version;
	(void)body;
	if (strcmp(method, "GET") && strcmp(method, "HEAD")) {
		if (*body_len) { /* thrown away piece by piece */
			*body_len = 0;
			return MHD_YES;
		}
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only.\n");
	}
	if (!*request) { /* the first call comes before the request is complete */
		*request = &seen;
		return MHD_YES;
	}
	if (!strcmp(url, "/metrics"))
		return answer_metrics(http, connection);
	if (!strcmp(url, "/"))
		return answer_text(connection, MHD_HTTP_OK, "ackmon " ACKMON_VERSION ": see /metrics\n");
	return answer_text(connection, MHD_HTTP_NOT_FOUND, "There is only /metrics.\n");
}

/* Public */

static int start(struct http *http, int fd)
{
	sigset_t all, before;

	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, http,
		MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_SECONDS_MAX, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!http->daemon)
		close(fd);
	return http->daemon ? 0 : -ENOMEM;
}

int http_listen(const char *address, char *ret_error, size_t error_size)
{
	union address where;
	socklen_t len = parse_address(address, &where);
	int fd = len ? listen_at(&where, len) : -EINVAL;

	if (fd >= 0)
		return fd;
	if (fd == -EINVAL)
		snprintf(ret_error, error_size,
			 "--listen %s: not an address; give PORT, ADDR:PORT, [ADDR]:PORT or the path "
			 "of a socket", address);
	else if (fd == -EACCES && where.any.sa_family != AF_UNIX)
		snprintf(ret_error, error_size,
			 "--listen %s: ports below 1024 need CAP_NET_BIND_SERVICE; take a higher one",
			 address);
	else
		snprintf(ret_error, error_size, "--listen %s: %s", address, strerror(-fd));
	return fd;
}

int http_open(struct http **ret_http, int fd, const char *address, http_metrics_fn metrics, void *context,
	      char *ret_error, size_t error_size)
{
	struct http *http = calloc(1, sizeof(*http));
	int err = http ? 0 : -ENOMEM;

	if (err) {
		close(fd);
	} else {
		http->metrics = metrics;
		http->context = context;
		if (strchr(address, '/'))
			http->socket_path = strdup(address);
		err = start(http, fd);
	}
	if (!err) {
		*ret_http = http;
		return 0;
	}
	snprintf(ret_error, error_size, "--listen %s: %s", address, strerror(-err));
	http_close(http);
	return err;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	if (http->socket_path)
		unlink(http->socket_path);
	free(http->socket_path);
	free(http);
}
