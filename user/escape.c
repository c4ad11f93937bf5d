/* SPDX-License-Identifier: GPL-2.0-only */
/* Texts as each format wants them: nothing in a text can end it. */
#include "escape.h"

#include <string.h>

#include "format.h"

/* Bytes of a well-formed UTF-8 sequence above ASCII (RFC 3629, 4), or 0. */
size_t escape_utf8_length(const uint8_t *text)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t more;

	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		more = 1;
	else if ((text[0] & 0xf0) == 0xe0)
		more = 2;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		more = 3;
	else
		return 0;
	if (text[0] == 0xe0)
		low = 0xa0;
	else if (text[0] == 0xed)
		high = 0x9f;
	else if (text[0] == 0xf0)
		low = 0x90;
	else if (text[0] == 0xf4)
		high = 0x8f;
	if (text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i <= more; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	return more + 1;
}

/* RFC 4180, 2.6 and 2.7: quotes around what would be misread, and quotes doubled inside. */
char *escape_csv(char *at, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")])
		return format_text(at, text);
	*at++ = '"';
	for (; *text; text++) {
		if (*text == '"')
			*at++ = '"';
		*at++ = *text;
	}
	*at++ = '"';
	return at;
}

/* RFC 8259, 7: quotes, backslashes and control characters. */
static char *json_escape(char *at, uint8_t c)
{
	if (c == '"' || c == '\\') {
		*at++ = '\\';
		*at++ = (char)c;
		return at;
	}
	at = format_text(at, "\\u00");
	*at++ = "0123456789abcdef"[c >> 4];
	*at++ = "0123456789abcdef"[c & 15];
	return at;
}

/* JSON is UTF-8 (RFC 8259, 8.1), interface names are bytes: what is not UTF-8 becomes U+FFFD. */
char *escape_json(char *at, const char *text)
{
	const uint8_t *from = (const uint8_t *)text;
	size_t len;

	*at++ = '"';
	while (*from) {
		if (*from > '"' && *from < 0x7f && *from != '\\') { /* nearly all there is */
			*at++ = (char)*from++;
			continue;
		}
		if (*from < 0x20 || *from == '"' || *from == '\\' || *from == 0x7f) {
			at = json_escape(at, *from++);
			continue;
		}
		len = *from < 0x80 ? 1 : escape_utf8_length(from);
		if (!len) {
			at = format_text(at, "\\ufffd");
			from++;
			continue;
		}
		memcpy(at, from, len);
		at += len;
		from += len;
	}
	*at++ = '"';
	return at;
}

char *escape_prometheus(char *at, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\') {
			*at++ = '\\';
			*at++ = *text;
		} else if (*text == '\n') {
			*at++ = '\\';
			*at++ = 'n';
		} else {
			*at++ = *text;
		}
	}
	return at;
}
