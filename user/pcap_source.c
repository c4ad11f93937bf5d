/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames from capture files: finds and unpacks the bytes, and names the link type of each record. */
#include "pcap_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pcap.h>
#include <zlib.h>
#include <zstd.h>

#include "abi/counters.h"
#include "pcap_records.h"
#include "pcapng_records.h"

#define PACKED_BYTES (64 * 1024)
#define STREAM_BYTES (64 * 1024) /* large reads, yet the bytes are still in the cache when walked */
#define MAGIC_BYTES 6

/* The capture as the disk or the pipe has it, and what is needed to unpack it on the way. */
struct input {
	int fd;
	uint64_t consumed; /* bytes taken from fd */
	uint64_t size;     /* 0: not a regular file */
	uint64_t delivered; /* unpacked bytes handed out */
	uint8_t *packed;   /* [start, end) waits to be unpacked; first the magic that was peeked at */
	size_t start;
	size_t end;
	bool never_waits;  /* where nothing has come yet that is said, as -EAGAIN */
	bool finished;     /* the packed stream came to its own end */
	bool member_ended; /* of gzip: what follows may be another one */
	bool interrupted;  /* a signal ended a blocking read: the person wants to stop */
	const char *error; /* why reading or unpacking failed; NULL: it did not */
	z_stream gzip;
	bool has_gzip;
	ZSTD_DStream *zstd;
};

struct link_type {
	int dlt;
	enum frame_link link;
};

/* A link type of a pcapng file. */
struct ng_link {
	uint16_t link_type; /* LINKTYPE_* */
	const struct link_type *link;
	struct bpf_program filter; /* valid with the source's has_filter */
};

struct pcap_source {
	struct input input;
	ssize_t (*read)(void *cookie, char *bytes, size_t size); /* of input, unpacked */
	char *name;
	uint8_t header[PCAP_FILE_HEADER_BYTES]; /* the first unpacked bytes */
	size_t header_len;
	size_t header_given; /* how many of them libpcap has got */
	pcap_t *pcap; /* reads the records where `records` does not, and always compiles filters */
	struct pcap_records records;
	bool has_records;
	struct pcapng_records ng_records;
	bool has_ng_records; /* then nothing is left for libpcap but filters */
	struct ng_link *ng_links;
	size_t ng_link_count;
	struct pcapng_interface ng_unknown; /* the first one of a link type that is not supported */
	uint64_t ng_unknown_frames;         /* of all of them */
	char *filter_text;
	const struct link_type *link;
	struct bpf_program filter;
	bool has_filter;
	char *stream_buffer; /* stdio uses it until pcap_close() */
	uint64_t frames;
};

struct packing {
	uint8_t magic[MAGIC_BYTES];
	size_t magic_len;
	ssize_t (*read)(void *cookie, char *bytes, size_t size); /* NULL: known, but not unpacked here */
	const char *name;
};

/* Says it and passes the error on, so that a failure is one line where it happens. */
static int __attribute__((format(printf, 4, 5)))
fail(int err, char *ret_error, size_t error_size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_error, error_size, format, args);
	va_end(args);
	return err;
}

/* Input: bytes from a descriptor, unpacked. */

/* The end of a pipe is something, too. */
static bool has_come(int fd)
{
	struct pollfd input = { .fd = fd, .events = POLLIN };

	return poll(&input, 1, 0) != 0;
}

static ssize_t input_take(struct input *input, void *bytes, size_t size)
{
	ssize_t len;

	if (input->never_waits && !has_come(input->fd)) {
		errno = EAGAIN;
		return -1;
	}
	len = read(input->fd, bytes, size);
	if (len >= 0) {
		input->consumed += (uint64_t)len;
		return len;
	}
	if (errno == EINTR) {
		input->interrupted = true;
		return 0;
	}
	input->error = strerror(errno);
	return -1;
}

/* 1: packed bytes wait; 0: there are no more; -1: error. */
static int input_fill(struct input *input)
{
	ssize_t len;

	if (input->start < input->end)
		return 1;
	len = input_take(input, input->packed, PACKED_BYTES);
	if (len <= 0)
		return (int)len;
	input->start = 0;
	input->end = (size_t)len;
	return 1;
}

static ssize_t input_fail(struct input *input, const char *error)
{
	input->error = error;
	errno = EIO;
	return -1;
}

static ssize_t input_read_plain(void *cookie, char *bytes, size_t size)
{
	struct input *input = cookie;
	size_t waiting = input->end - input->start;
	ssize_t len;

	if (waiting) {
		len = (ssize_t)(waiting < size ? waiting : size);
		memcpy(bytes, input->packed + input->start, (size_t)len);
		input->start += (size_t)len;
	} else {
		len = input_take(input, bytes, size);
	}
	if (len > 0)
		input->delivered += (uint64_t)len;
	return len;
}

/* A gzip file may be several members in a row; what follows the last one is padding (RFC 1952, 2.2). */
static bool gzip_begins_member(struct input *input)
{
	return input->packed[input->start] == 0x1f && inflateReset(&input->gzip) == Z_OK;
}

static ssize_t input_read_gzip(void *cookie, char *bytes, size_t size)
{
	struct input *input = cookie;
	z_stream *gzip = &input->gzip;
	size_t len = 0;

	while (!len && size && !input->finished) {
		int filled = input_fill(input);
		int result;

		if (filled < 0)
			return -1;
		if (!filled && (input->interrupted || input->member_ended))
			return 0;
		if (!filled)
			return input_fail(input, "gzip data ends early");
		if (input->member_ended && !gzip_begins_member(input)) {
			input->finished = true;
			return 0;
		}

		input->member_ended = false;
		gzip->next_in = input->packed + input->start;
		gzip->avail_in = (uInt)(input->end - input->start);
		gzip->next_out = (Bytef *)bytes;
		gzip->avail_out = (uInt)size;
		result = inflate(gzip, Z_NO_FLUSH);
		input->start = input->end - gzip->avail_in;
		len = size - gzip->avail_out;

		if (result == Z_STREAM_END)
			input->member_ended = true;
		else if (result != Z_OK && result != Z_BUF_ERROR)
			return input_fail(input, "gzip data is damaged");
	}
	input->delivered += len;
	return (ssize_t)len;
}

static ssize_t input_read_zstd(void *cookie, char *bytes, size_t size)
{
	struct input *input = cookie;
	ZSTD_outBuffer out = { .dst = bytes, .size = size };

	while (!out.pos && size) {
		int filled = input_fill(input);
		ZSTD_inBuffer in;
		size_t result;

		if (filled < 0)
			return -1;
		if (!filled && (input->finished || input->interrupted))
			return 0;

		/* Without new bytes it may still hold unpacked ones back. */
		in = (ZSTD_inBuffer){ input->packed + input->start,
				      filled ? input->end - input->start : 0, 0 };
		result = ZSTD_decompressStream(input->zstd, &out, &in);
		input->start += in.pos;
		if (ZSTD_isError(result))
			return input_fail(input, ZSTD_getErrorName(result));
		if (!filled && !out.pos)
			return input_fail(input, "zstd data ends early");
		input->finished = result == 0;
	}
	input->delivered += out.pos;
	return (ssize_t)out.pos;
}

static const struct packing packings[] = {
	{ { 0x1f, 0x8b }, 2, input_read_gzip, "gzip" },
	{ { 0x28, 0xb5, 0x2f, 0xfd }, 4, input_read_zstd, "zstd" },
	{ { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, NULL, "xz" },
	{ { 'B', 'Z', 'h' }, 3, NULL, "bzip2" },
	{ { 0x04, 0x22, 0x4d, 0x18 }, 4, NULL, "lz4" },
};

static const struct packing *packing_find(const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(packings) / sizeof(packings[0]); i++)
		if (len >= packings[i].magic_len &&
		    !memcmp(bytes, packings[i].magic, packings[i].magic_len))
			return &packings[i];
	return NULL;
}

/* A pipe may hand out less than asked for. */
static int input_peek(struct input *input)
{
	while (input->end < MAGIC_BYTES) {
		ssize_t len = input_take(input, input->packed + input->end,
					 MAGIC_BYTES - input->end);

		if (len < 0)
			return -errno;
		if (!len)
			break;
		input->end += (size_t)len;
	}
	return input->interrupted ? -EINTR : 0;
}

int pcap_source_open_path(const char *path)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC)
				   : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int input_open(struct input *input, int fd)
{
	struct stat status;

	input->fd = fd;
	if (fd < 0)
		return fd;
	input->packed = malloc(PACKED_BYTES);
	if (!input->packed)
		return -ENOMEM;
	if (!fstat(input->fd, &status) && S_ISREG(status.st_mode))
		input->size = (uint64_t)status.st_size;
	return input_peek(input);
}

static int input_unpack(struct input *input, const struct packing *packing)
{
	if (packing && packing->read == input_read_gzip) {
		if (inflateInit2(&input->gzip, 16 + MAX_WBITS) != Z_OK)
			return -ENOMEM;
		input->has_gzip = true;
	}
	if (packing && packing->read == input_read_zstd) {
		input->zstd = ZSTD_createDStream();
		if (!input->zstd)
			return -ENOMEM;
	}
	return 0;
}

static void input_close(struct input *input)
{
	if (input->has_gzip)
		inflateEnd(&input->gzip);
	ZSTD_freeDStream(input->zstd);
	if (input->fd >= 0)
		close(input->fd);
	free(input->packed);
}

/* Link types: DLT_* of libpcap, or LINKTYPE_* of a file where that is another number. */

static const struct link_type link_types[] = {
	{ DLT_EN10MB, LINK_ETHERNET },
	{ DLT_RAW, LINK_RAW_IP },
	{ 14, LINK_RAW_IP }, /* what OpenBSD calls DLT_RAW */
	{ DLT_IPV4, LINK_RAW_IP },
	{ DLT_IPV6, LINK_RAW_IP },
	{ DLT_NULL, LINK_LOOPBACK },
	{ DLT_LOOP, LINK_LOOPBACK },
	{ DLT_LINUX_SLL, LINK_COOKED },
	{ DLT_LINUX_SLL2, LINK_COOKED2 },
	{ DLT_PPP, LINK_PPP },
	{ DLT_PPP_SERIAL, LINK_PPP },
	{ DLT_PPP_PPPD, LINK_PPP_WITH_DIRECTION },
	{ DLT_PPP_WITH_DIR, LINK_PPP_WITH_DIRECTION },
	{ DLT_PPP_ETHER, LINK_PPPOE },
	{ DLT_C_HDLC, LINK_HDLC },
	{ DLT_IEEE802_11, LINK_WLAN },
	{ DLT_IEEE802_11_RADIO, LINK_RADIOTAP },
	{ DLT_NFLOG, LINK_NFLOG },
	{ DLT_FDDI, LINK_FDDI },
	{ DLT_ATM_RFC1483, LINK_LLC },
	{ DLT_MPLS, LINK_MPLS },
};

#define LINKS_SUPPORTED                                                                       \
	"Ethernet, raw IP, Linux cooked, BSD loopback, PPP, PPPoE, Cisco HDLC, 802.11, NFLOG, " \
	"FDDI, LLC and MPLS are"

/* Of these link types libpcap has another number in memory than in a file. */
static int link_dlt(uint16_t link_type)
{
	switch (link_type) {
	case 100:
		return DLT_ATM_RFC1483;
	case 101:
		return DLT_RAW;
	}
	return link_type;
}

static const char *link_name(int dlt)
{
	const char *name = pcap_datalink_val_to_name(dlt);

	return name ? name : "unknown";
}

static const struct link_type *link_find(int dlt)
{
	size_t i;

	for (i = 0; i < sizeof(link_types) / sizeof(link_types[0]); i++)
		if (link_types[i].dlt == dlt)
			return &link_types[i];
	return NULL;
}

/* The source. */

static int source_explain_header(const struct pcap_source *source, const char *reason,
				 char *ret_error, size_t error_size)
{
	const struct input *input = &source->input;

	if (input->interrupted)
		return fail(-EINTR, ret_error, error_size, "%s: %s", source->name, strerror(EINTR));
	if (input->error)
		return fail(-EPROTO, ret_error, error_size, "%s: %s", source->name, input->error);
	if (!input->delivered)
		return fail(-ENODATA, ret_error, error_size, "%s: empty file, no capture header",
			    source->name);
	if (input->delivered < 4 || !strcmp(reason, "unknown file format"))
		return fail(-EPROTO, ret_error, error_size, "%s: neither pcap nor pcapng",
			    source->name);
	if (input->delivered < PCAP_FILE_HEADER_BYTES)
		return fail(-EPROTO, ret_error, error_size,
			    "%s: the file ends inside its capture header", source->name);
	return fail(-EPROTO, ret_error, error_size, "%s: capture header damaged: %s", source->name,
		    reason);
}

/* The header first, which was read to see who reads the rest. */
static ssize_t source_read(void *cookie, char *bytes, size_t size)
{
	struct pcap_source *source = cookie;
	size_t waiting = source->header_len - source->header_given;

	if (!waiting)
		return source->read(&source->input, bytes, size);
	if (waiting > size)
		waiting = size;
	memcpy(bytes, source->header + source->header_given, waiting);
	source->header_given += waiting;
	return (ssize_t)waiting;
}

static void source_read_header(struct pcap_source *source)
{
	while (source->header_len < PCAP_FILE_HEADER_BYTES) {
		ssize_t len = source->read(&source->input,
					   (char *)source->header + source->header_len,
					   PCAP_FILE_HEADER_BYTES - source->header_len);

		if (len <= 0) /* libpcap will meet the same and say so */
			return;
		source->header_len += (size_t)len;
	}
}

/* Either the whole file through libpcap, or its header alone: it knows link types and compiles filters. */
static FILE *source_open_stream(struct pcap_source *source)
{
	cookie_io_functions_t calls = { .read = source_read };
	FILE *stream;

	if (source->has_records)
		return fmemopen(source->header, source->header_len, "r");
	stream = fopencookie(source, "r", calls);
	source->stream_buffer = malloc(STREAM_BYTES);
	if (stream && source->stream_buffer) {
		setvbuf(stream, source->stream_buffer, _IOFBF, STREAM_BYTES);
		return stream;
	}
	if (stream)
		fclose(stream);
	return NULL;
}

static int source_open_pcap(struct pcap_source *source, char *ret_error, size_t error_size)
{
	char reason[PCAP_ERRBUF_SIZE] = "";
	FILE *stream;

	source->has_records = source->header_len == PCAP_FILE_HEADER_BYTES &&
			      pcap_records_know(source->header);
	stream = source_open_stream(source);
	if (!stream || (source->has_records && pcap_records_open(&source->records, source->header,
								 source->read, &source->input))) {
		if (stream)
			fclose(stream);
		return fail(-ENOMEM, ret_error, error_size, "%s: out of memory", source->name);
	}
	source->pcap = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO,
								reason);
	if (source->pcap)
		return 0; /* pcap_close() closes the stream */
	fclose(stream);
	return source_explain_header(source, reason, ret_error, error_size);
}

static int source_choose_link(struct pcap_source *source, char *ret_error, size_t error_size)
{
	int dlt = pcap_datalink(source->pcap);

	source->link = link_find(dlt);
	if (source->link)
		return 0;
	return fail(-EPROTONOSUPPORT, ret_error, error_size,
		    "%s: link type %s (%d) is not supported; " LINKS_SUPPORTED, source->name,
		    link_name(dlt), dlt);
}

static int filter_refused(const char *filter, const char *why, char *ret_error, size_t error_size)
{
	return fail(-EINVAL, ret_error, error_size, "filter \"%s\": %s (see man pcap-filter)", filter,
		    why);
}

static int source_compile_filter(struct pcap_source *source, const char *filter, char *ret_error,
				 size_t error_size)
{
	if (!filter || !*filter)
		return 0;
	if (pcap_compile(source->pcap, &source->filter, filter, 1, PCAP_NETMASK_UNKNOWN))
		return filter_refused(filter, pcap_geterr(source->pcap), ret_error, error_size);
	source->has_filter = true;
	return 0;
}

/* A filter means other bytes behind each link header. One of a type we do not know is not asked. */
static int ng_compile_filter(struct pcap_source *source, struct ng_link *link, char *ret_error,
			     size_t error_size)
{
	int dlt = link->link ? link->link->dlt : DLT_EN10MB, err = 0;
	pcap_t *pcap;

	if (!source->filter_text)
		return 0;
	pcap = pcap_open_dead(dlt, 262144);
	if (!pcap)
		return fail(-ENOMEM, ret_error, error_size, "%s: out of memory", source->name);
	if (pcap_compile(pcap, &link->filter, source->filter_text, 1, PCAP_NETMASK_UNKNOWN))
		err = filter_refused(source->filter_text, pcap_geterr(pcap), ret_error, error_size);
	pcap_close(pcap);
	return err;
}

/* The link type of an interface, met before or added now. */
static int ng_find_link(struct pcap_source *source, const struct pcapng_interface *interface,
			struct ng_link **ret_link, char *ret_error, size_t error_size)
{
	struct ng_link added = { .link_type = interface->link_type }, *larger;
	size_t i;
	int err;

	for (i = 0; i < source->ng_link_count; i++) {
		if (source->ng_links[i].link_type == interface->link_type) {
			*ret_link = &source->ng_links[i];
			return 0;
		}
	}
	added.link = link_find(link_dlt(interface->link_type));
	err = ng_compile_filter(source, &added, ret_error, error_size);
	if (err)
		return err;
	larger = reallocarray(source->ng_links, source->ng_link_count + 1, sizeof(*larger));
	if (!larger) {
		pcap_freecode(&added.filter);
		return fail(-ENOMEM, ret_error, error_size, "%s: out of memory", source->name);
	}
	source->ng_links = larger;
	larger[source->ng_link_count] = added;
	*ret_link = &larger[source->ng_link_count++];
	return 0;
}

/* The first interface is read at once: a filter that cannot be is said before anything else. */
static int source_open_ng(struct pcap_source *source, const char *filter, char *ret_error,
			  size_t error_size)
{
	const struct pcapng_interface *interface;
	char reason[PCAP_ERRBUF_SIZE] = "";
	struct ng_link *link;
	int got;

	if (pcapng_records_open(&source->ng_records, source->header, source->header_len,
				source->read, &source->input))
		return fail(-ENOMEM, ret_error, error_size, "%s: out of memory", source->name);
	source->has_ng_records = true;
	if (filter && *filter) {
		source->has_filter = true;
		source->filter_text = strdup(filter);
		if (!source->filter_text)
			return fail(-ENOMEM, ret_error, error_size, "%s: out of memory",
				    source->name);
	}
	got = pcapng_records_first(&source->ng_records, &interface, reason, sizeof(reason));
	if (!got && !source->input.interrupted)
		snprintf(reason, sizeof(reason), "no interface block");
	if (got <= 0)
		return source_explain_header(source, reason, ret_error, error_size);
	return ng_find_link(source, interface, &link, ret_error, error_size);
}

int pcap_source_open(struct pcap_source **ret_source, const char *path, const char *filter,
		     char *ret_error, size_t error_size)
{
	return pcap_source_open_fd(ret_source, pcap_source_open_path(path), path, filter, ret_error,
				   error_size);
}

int pcap_source_open_fd(struct pcap_source **ret_source, int fd, const char *path, const char *filter,
			char *ret_error, size_t error_size)
{
	const char *name = strcmp(path, "-") ? path : "standard input";
	const struct packing *packing;
	struct pcap_source *source = calloc(1, sizeof(*source));
	int err;

	if (!source) {
		if (fd >= 0)
			close(fd);
		return fail(-ENOMEM, ret_error, error_size, "%s: out of memory", name);
	}
	source->input.fd = fd;
	source->name = strdup(name);
	err = source->name ? input_open(&source->input, fd) : -ENOMEM;
	if (err) {
		fail(err, ret_error, error_size, "%s: %s", name, strerror(-err));
		goto out;
	}

	packing = packing_find(source->input.packed, source->input.end);
	if (packing && !packing->read) {
		err = fail(-EPROTO, ret_error, error_size,
			   "%s: packed by %s; unpack it on the way: %s -dc FILE | ackmon -r -", name,
			   packing->name, packing->name);
		goto out;
	}
	err = input_unpack(&source->input, packing);
	if (err) {
		fail(err, ret_error, error_size, "%s: %s", name, strerror(-err));
		goto out;
	}

	source->read = packing ? packing->read : input_read_plain;
	source_read_header(source);
	if (pcapng_records_know(source->header, source->header_len)) {
		err = source_open_ng(source, filter, ret_error, error_size);
		goto out;
	}
	err = source_open_pcap(source, ret_error, error_size);
	if (!err)
		err = source_choose_link(source, ret_error, error_size);
	if (!err)
		err = source_compile_filter(source, filter, ret_error, error_size);
out:
	if (err)
		pcap_source_close(source);
	else
		*ret_source = source;
	return err;
}

static void source_describe(enum frame_link link, const struct pcap_record *record,
			    struct frame *ret_frame)
{
	*ret_frame = (struct frame){
		.data = record->bytes,
		.end = record->bytes + record->captured,
		.time_ns = record->time_ns,
		.wire_bytes = record->wire_bytes < record->captured ? record->captured
								    : record->wire_bytes,
		.door = DOOR_CAPTURE,
		.link = link,
	};
}

/* The filter means the bytes as captured, so it looks before anything is stepped over. */
static int source_selects(const struct pcap_source *source, const struct bpf_program *filter,
			  const struct pcap_record *record)
{
	struct pcap_pkthdr header = { .caplen = record->captured, .len = record->wire_bytes };

	return !source->has_filter || pcap_offline_filter(filter, &header, record->bytes) != 0;
}

/* As pcap_records_next(), by libpcap. */
static int libpcap_next(struct pcap_source *source, struct pcap_record *ret_record,
			char *ret_reason, size_t reason_size)
{
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	int result = pcap_next_ex(source->pcap, &header, &bytes);

	if (result == PCAP_ERROR_BREAK)
		return 0;
	if (result != 1) {
		snprintf(ret_reason, reason_size, "%s", pcap_geterr(source->pcap));
		return -EPROTO;
	}
	*ret_record = (struct pcap_record){
		.bytes = bytes,
		.time_ns = (uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec,
		.captured = header->caplen,
		.wire_bytes = header->len,
	};
	return 1;
}

static int source_end(const struct pcap_source *source, int got, const char *reason,
		      char *ret_error, size_t error_size)
{
	const struct input *input = &source->input;

	if (input->interrupted)
		return -EINTR;
	if (!got || got == -EAGAIN)
		return got;
	if (input->error)
		reason = input->error;
	else if (got == -ENOMEM)
		reason = "out of memory";
	return fail(-EPROTO, ret_error, error_size, "%s: frame %llu: %s; flows up to here are kept",
		    source->name, (unsigned long long)source->frames + 1, reason);
}

static int ng_next(struct pcap_source *source, struct frame *ret_frame, int *ret_selected,
		   char *ret_error, size_t error_size)
{
	const struct pcapng_interface *interface;
	char reason[PCAP_ERRBUF_SIZE] = "";
	struct pcap_record record;
	struct ng_link *link;
	int got, err;

	got = pcapng_records_next(&source->ng_records, &record, &interface, reason,
				  sizeof(reason));
	if (got <= 0)
		return source_end(source, got, reason, ret_error, error_size);
	err = ng_find_link(source, interface, &link, ret_error, error_size);
	if (err)
		return err;
	source->frames++;
	source_describe(link->link ? link->link->link : LINK_UNKNOWN, &record, ret_frame);
	*ret_selected = !link->link || source_selects(source, &link->filter, &record);
	if (!link->link && !source->ng_unknown_frames++)
		source->ng_unknown = *interface;
	return 1;
}

int pcap_source_left_out(const struct pcap_source *source, char *ret_text, size_t text_size)
{
	const struct pcapng_interface *interface = &source->ng_unknown;
	int dlt = link_dlt(interface->link_type);

	if (!source->ng_unknown_frames)
		return 0;
	snprintf(ret_text, text_size,
		 "%s: interface block %u has link type %s (%u), which is not supported, %llu "
		 "frame%s left out; " LINKS_SUPPORTED,
		 source->name, interface->number, link_name(dlt), interface->link_type,
		 (unsigned long long)source->ng_unknown_frames,
		 source->ng_unknown_frames == 1 ? " is" : "s are");
	return 1;
}

int pcap_source_next(struct pcap_source *source, struct frame *ret_frame, int *ret_selected,
		     char *ret_error, size_t error_size)
{
	char reason[PCAP_ERRBUF_SIZE];
	struct pcap_record record;
	int got;

	if (source->has_ng_records)
		return ng_next(source, ret_frame, ret_selected, ret_error, error_size);
	if (source->has_records)
		got = pcap_records_next(&source->records, &record, reason, sizeof(reason));
	else
		got = libpcap_next(source, &record, reason, sizeof(reason));
	if (got <= 0)
		return source_end(source, got, reason, ret_error, error_size);
	*ret_selected = source_selects(source, &source->filter, &record);
	source_describe(source->link->link, &record, ret_frame);
	source->frames++;
	return 1;
}

/* Through libpcap it would not go on where it stopped: of an old version frames are waited for. */
void pcap_source_never_wait(struct pcap_source *source)
{
	source->input.never_waits = !source->input.size && (source->has_records || source->has_ng_records);
}

void pcap_source_position(const struct pcap_source *source, uint64_t *ret_bytes,
			  uint64_t *ret_size)
{
	*ret_bytes = source->input.consumed;
	*ret_size = source->input.size;
}

void pcap_source_close(struct pcap_source *source)
{
	if (!source)
		return;
	if (source->has_filter && source->pcap)
		pcap_freecode(&source->filter);
	if (source->pcap)
		pcap_close(source->pcap);
	free(source->stream_buffer);
	pcap_records_close(&source->records);
	pcapng_records_close(&source->ng_records);
	for (size_t i = 0; source->filter_text && i < source->ng_link_count; i++)
		pcap_freecode(&source->ng_links[i].filter);
	free(source->ng_links);
	free(source->filter_text);
	input_close(&source->input);
	free(source->name);
	free(source);
}
