/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls/tls_ja4.h"

#include "tls/tls_sha256.h"

enum { DIGITS = 12 }; /* of each digest */

static const char hex[] = "0123456789abcdef";

static size_t count_real(const uint16_t *codes, size_t n)
{
	size_t real = 0;
	for (size_t i = 0; i < n; i++)
		real += !tls_is_grease(codes[i]);
	return real;
}

static void put_count(char *out, size_t n)
{
	if (n > 99)
		n = 99;
	out[0] = (char)('0' + n / 10);
	out[1] = (char)('0' + n % 10);
}

static const char *version_code(uint16_t version)
{
	static const char *const codes[] = {"s3", "10", "11", "12", "13"};
	return version >= TLS_SSL3 && version <= TLS_1_3 ? codes[version - TLS_SSL3] : "00";
}

static bool is_alphanumeric(uint8_t c)
{
	const uint8_t low = byte_lower(c);
	return (c >= '0' && c <= '9') || (low >= 'a' && low <= 'z');
}

static void put_protocol(char out[2], struct bytes list)
{
	const struct bytes first = tls_next_protocol(&list);
	if (first.n == 0) {
		out[0] = out[1] = '0';
		return;
	}
	const uint8_t a = first.p[0], z = first.p[first.n - 1];
	const bool is_text = is_alphanumeric(a) && is_alphanumeric(z);
	out[0] = is_text ? (char)a : hex[a >> 4];
	out[1] = is_text ? (char)z : hex[z & 15];
}

/* ---------------------------------------------------------------- digests of lists */

struct list {
	struct tls_sha256 sha;
	size_t n; /* codes so far */
};

/* `before` is what separates it from the code before. */
static void add_code(struct list *l, uint16_t code, uint8_t before)
{
	const uint8_t text[] = {before, (uint8_t)hex[code >> 12], (uint8_t)hex[code >> 8 & 15],
				(uint8_t)hex[code >> 4 & 15], (uint8_t)hex[code & 15]};
	const size_t from = l->n == 0;
	tls_sha256_add(&l->sha, bytes_of(text + from, sizeof text - from));
	l->n++;
}

static void end_list(struct list *l, char out[DIGITS])
{
	uint8_t digest[TLS_SHA256_SIZE];
	tls_sha256_end(&l->sha, digest);
	for (size_t i = 0; i < DIGITS; i++)
		out[i] = l->n ? hex[i % 2 ? digest[i / 2] & 15 : digest[i / 2] >> 4] : '0';
}

static void put_ciphers(const struct tls_client_hello *h, char out[DIGITS])
{
	struct list l = {.n = 0};
	tls_sha256_init(&l.sha);
	for (size_t i = 0; i < h->n_ciphers; i++)
		if (!tls_is_grease(h->ciphers[i]))
			add_code(&l, h->ciphers[i], ',');
	end_list(&l, out);
}

/* Server name and ALPN are told in the first part. */
static bool is_listed(uint16_t extension)
{
	return !tls_is_grease(extension) && extension != 0 && extension != 16;
}

static void put_extensions(const struct tls_client_hello *h, char out[DIGITS])
{
	struct list l = {.n = 0};
	tls_sha256_init(&l.sha);
	for (size_t i = 0; i < h->n_extensions; i++)
		if (is_listed(h->extensions[i]))
			add_code(&l, h->extensions[i], ',');
	uint8_t before = '_';
	for (size_t i = 0; i < h->n_schemes; i++) {
		if (tls_is_grease(h->schemes[i]))
			continue;
		add_code(&l, h->schemes[i], before);
		before = ',';
	}
	end_list(&l, out);
}

void tls_put_ja4(const struct tls_client_hello *h, enum tls_transport transport,
		 char out[TLS_JA4_SIZE])
{
	out[0] = transport == TLS_OVER_QUIC ? 'q' : 't';
	memcpy(out + 1, version_code(h->highest), 2);
	out[3] = h->has_sni ? 'd' : 'i';
	put_count(out + 4, count_real(h->ciphers, h->n_ciphers));
	put_count(out + 6, count_real(h->extensions, h->n_extensions));
	put_protocol(out + 8, h->alpn);
	out[10] = out[23] = '_';
	put_ciphers(h, out + 11);
	put_extensions(h, out + 24);
}
