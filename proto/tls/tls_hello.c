/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls/tls_hello.h"

/* https://www.iana.org/assignments/tls-extensiontype-values */
enum {
	EXT_SERVER_NAME = 0,
	EXT_SIGNATURE_ALGORITHMS = 13,
	EXT_ALPN = 16,
	EXT_EARLY_DATA = 42,
	EXT_SUPPORTED_VERSIONS = 43,
	EXT_ECH = 0xfe0d,
};

enum {
	RANDOM_SIZE = 32,
	SESSION_MAX = 32,
	LABEL_MAX = 63,
	NAME_TYPE_HOST = 0,
};

bool tls_is_grease(uint16_t code)
{
	return (code & 0x0f0f) == 0x0a0a && code >> 8 == (code & 0xff);
}

bool tls_is_grease_protocol(struct bytes protocol)
{
	return protocol.n == 2 && tls_is_grease((uint16_t)(protocol.p[0] << 8 | protocol.p[1]));
}

/* ---------------------------------------------------------------- vectors */

/* A vector with a length of `size` bytes before it. */
static struct bytes read_vector(struct reader *r, size_t size)
{
	const size_t n = (size_t)read_be(r, size);
	return read_bytes(r, n);
}

/* Codes without the length before them; false: not whole, or more than fit. */
static bool take_codes(struct bytes list, uint16_t *out, size_t max, size_t *n)
{
	struct reader r = reader_of(list);
	if (list.n % 2 || list.n / 2 > max)
		return false;
	for (*n = 0; *n < list.n / 2; (*n)++)
		out[*n] = read_u16be(&r);
	return true;
}

/* Shell's, with the gaps of Ciura: the lists are short, and hostile ones cost little more. */
static void sort_codes(uint16_t *v, size_t n)
{
	static const size_t gaps[] = {301, 132, 57, 23, 10, 4, 1};
	for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++)
		for (size_t i = gaps[g]; i < n; i++) {
			const uint16_t code = v[i];
			size_t at = i;
			for (; at >= gaps[g] && v[at - gaps[g]] > code; at -= gaps[g])
				v[at] = v[at - gaps[g]];
			v[at] = code;
		}
}

static bool has_twice(const uint16_t *sorted, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (sorted[i] == sorted[i - 1])
			return true;
	return false;
}

/* ---------------------------------------------------------------- server name */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_byte(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

/* A last label that is a number makes the whole an IPv4 address to some (127.1, 0x7f.1). */
static bool is_number(struct bytes label)
{
	const bool is_hex = label.n >= 2 && label.p[0] == '0' && label.p[1] == 'x';
	for (size_t i = is_hex ? 2 : 0; i < label.n; i++)
		if (!is_digit(label.p[i]) && !(is_hex && label.p[i] >= 'a' && label.p[i] <= 'f'))
			return false;
	return true;
}

static const char *check_label(struct bytes label)
{
	if (label.n == 0 || label.n > LABEL_MAX)
		return "a server name with an empty or long label";
	for (size_t i = 0; i < label.n; i++)
		if (!is_name_byte(label.p[i]))
			return "a server name that is no host name";
	return NULL;
}

static const char *check_labels(struct bytes name)
{
	for (;;) {
		const struct bytes label = bytes_slice(name, 0, bytes_find(name, '.'));
		const char *why = check_label(label);
		if (why)
			return why;
		if (label.n == name.n)
			return is_number(label) ? "an address as server name" : NULL;
		name = bytes_from(name, label.n + 1);
	}
}

const char *tls_put_name(struct bytes name, uint8_t out[TLS_NAME_MAX], size_t *n)
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0)
		return "an empty server name";
	if (name.n > TLS_NAME_MAX)
		return "a server name too long";
	if (bytes_find(name, ':') < name.n)
		return "an address as server name";
	for (size_t i = 0; i < name.n; i++)
		out[i] = byte_lower(name.p[i]);
	*n = name.n;
	return check_labels(bytes_of(out, name.n));
}

/* RFC 6066 section 3. One name: which of two a server takes is its own business. */
static const char *take_server_name(struct bytes body, struct tls_client_hello *h)
{
	struct reader r = reader_of(body);
	struct reader list = reader_of(read_vector(&r, 2));
	const uint8_t type = read_u8(&list);
	const struct bytes name = read_vector(&list, 2);
	if (!reader_ok(&r) || reader_left(&r) || !reader_ok(&list) || reader_left(&list))
		return "a server name list that is not one name";
	if (type != NAME_TYPE_HOST)
		return "a server name of an unknown type";
	h->has_sni = true;
	return tls_put_name(name, h->sni, &h->sni_n);
}

/* ---------------------------------------------------------------- other extensions */

struct bytes tls_next_protocol(struct bytes *list)
{
	struct reader r = reader_of(*list);
	const struct bytes protocol = read_vector(&r, 1);
	*list = bytes_from(*list, r.pos);
	return protocol;
}

/* RFC 7301: a list of names of 1 to 255 bytes. */
static const char *take_protocols(struct bytes body, struct bytes *out)
{
	struct reader r = reader_of(body);
	*out = read_vector(&r, 2);
	if (!reader_ok(&r) || reader_left(&r) || out->n == 0)
		return "a list of protocols with a wrong length";
	for (struct reader list = reader_of(*out); reader_left(&list) > 0;) {
		const struct bytes protocol = read_vector(&list, 1);
		if (!reader_ok(&list) || protocol.n == 0)
			return "a list of protocols with a wrong length";
	}
	return NULL;
}

static bool is_known_version(uint16_t version)
{
	return version >= TLS_SSL3 && version <= TLS_1_3;
}

static const char *take_versions(struct bytes body, struct tls_client_hello *h)
{
	struct reader r = reader_of(body);
	struct reader list = reader_of(read_vector(&r, 1));
	if (!reader_ok(&r) || reader_left(&r) || list.in.n == 0 || list.in.n % 2)
		return "a list of versions with a wrong length";
	h->highest = h->highest_known = 0;
	while (reader_left(&list) > 0) {
		const uint16_t version = read_u16be(&list);
		if (tls_is_grease(version))
			continue;
		if (version > h->highest)
			h->highest = version;
		if (is_known_version(version) && version > h->highest_known)
			h->highest_known = version;
	}
	return NULL;
}

static const char *take_schemes(struct bytes body, struct tls_client_hello *h)
{
	struct reader r = reader_of(body);
	const struct bytes list = read_vector(&r, 2);
	if (!reader_ok(&r) || reader_left(&r) ||
	    !take_codes(list, h->schemes, TLS_SCHEMES_MAX, &h->n_schemes))
		return "a list of signature algorithms with a wrong length";
	return NULL;
}

/* RFC 9849 section 5: a first byte of 0 is an outer hello, 1 an inner one (and then all there is).
 */
static const char *take_ech(struct bytes body, struct tls_client_hello *h)
{
	if (body.n == 0 || body.p[0] > 1 || (body.p[0] == 1 && body.n > 1))
		return "an encrypted client hello of no known form";
	h->has_ech = true;
	return NULL;
}

static const char *take_extension(uint16_t type, struct bytes body, struct tls_client_hello *h)
{
	switch (type) {
	case EXT_SERVER_NAME:
		return take_server_name(body, h);
	case EXT_ALPN:
		return take_protocols(body, &h->alpn);
	case EXT_SUPPORTED_VERSIONS:
		return take_versions(body, h);
	case EXT_SIGNATURE_ALGORITHMS:
		return take_schemes(body, h);
	case EXT_ECH:
		return take_ech(body, h);
	case EXT_EARLY_DATA:
		h->has_early_data = true;
		return body.n ? "early data with contents" : NULL;
	default: /* a number of the protocol: nobody here needs the others */
		return NULL;
	}
}

/* ---------------------------------------------------------------- client hello */

static const char not_whole[] = "a hello whose lengths do not add up";

static enum dis_status fail(enum dis_status status, const char *reason, const char **why)
{
	*why = reason;
	return status;
}

static enum dis_status parse_extensions(struct bytes all, struct tls_client_hello *h,
					const char **why)
{
	struct reader r = reader_of(all);
	while (reader_left(&r) > 0) {
		const uint16_t type = read_u16be(&r);
		const struct bytes body = read_vector(&r, 2);
		if (!reader_ok(&r))
			return fail(DIS_MALFORMED, not_whole, why);
		if (h->n_extensions == TLS_EXTENSIONS_MAX)
			return fail(DIS_LIMIT, "more extensions than are read", why);
		h->extensions[h->n_extensions++] = type;
		*why = take_extension(type, body, h);
		if (*why)
			return DIS_MALFORMED;
	}
	sort_codes(h->extensions, h->n_extensions);
	if (has_twice(h->extensions, h->n_extensions))
		return fail(DIS_MALFORMED, "an extension twice", why);
	return DIS_DONE;
}

static enum dis_status take_ciphers(struct bytes list, struct tls_client_hello *h, const char **why)
{
	if (list.n == 0 || list.n % 2)
		return fail(DIS_MALFORMED, "a list of ciphers with a wrong length", why);
	if (!take_codes(list, h->ciphers, TLS_CIPHERS_MAX, &h->n_ciphers))
		return fail(DIS_LIMIT, "more ciphers than are read", why);
	sort_codes(h->ciphers, h->n_ciphers);
	return DIS_DONE;
}

/* The extensions may be absent altogether: hellos of old clients end before them. */
static struct bytes read_extensions(struct reader *r)
{
	if (!reader_ok(r) || reader_left(r) == 0)
		return (struct bytes){0};
	return read_vector(r, 2);
}

static void start_client_hello(struct tls_client_hello *h, uint16_t version)
{
	h->version = h->highest = version;
	h->highest_known = is_known_version(version) ? version : 0;
	h->has_sni = h->has_early_data = h->has_ech = false;
	h->sni_n = h->n_ciphers = h->n_extensions = h->n_schemes = 0;
	h->alpn = (struct bytes){0};
}

enum dis_status tls_parse_client_hello(struct bytes message, struct tls_client_hello *h,
				       const char **why)
{
	struct reader r = reader_of(bytes_from(message, 4)); /* the caller knows its type, length */
	start_client_hello(h, read_u16be(&r));
	read_skip(&r, RANDOM_SIZE);
	const struct bytes session = read_vector(&r, 1), ciphers = read_vector(&r, 2);
	const struct bytes compression = read_vector(&r, 1), extensions = read_extensions(&r);
	if (!reader_ok(&r) || reader_left(&r) > 0)
		return fail(DIS_MALFORMED, not_whole, why);
	if (!is_known_version(h->version))
		return fail(DIS_MALFORMED, "a hello of no known version", why);
	if (session.n > SESSION_MAX || compression.n == 0)
		return fail(DIS_MALFORMED, "a session or compression of a wrong length", why);
	const enum dis_status status = take_ciphers(ciphers, h, why);
	return status == DIS_DONE ? parse_extensions(extensions, h, why) : status;
}

/* ---------------------------------------------------------------- server hello */

/* What stands for the random bytes in a HelloRetryRequest: SHA-256 of that word. */
static const uint8_t retry_random[RANDOM_SIZE] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
	0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
	0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

static const char *take_chosen_protocol(struct bytes body, struct tls_server_hello *h)
{
	struct bytes list;
	const char *why = take_protocols(body, &list);
	if (why)
		return why;
	h->alpn = tls_next_protocol(&list);
	return list.n ? "a server that chooses two protocols" : NULL;
}

static const char *take_server_extensions(struct bytes all, struct tls_server_hello *h)
{
	bool has_alpn = false, has_version = false;
	struct reader r = reader_of(all);
	while (reader_left(&r) > 0) {
		const uint16_t type = read_u16be(&r);
		const struct bytes body = read_vector(&r, 2);
		if (!reader_ok(&r))
			return not_whole;
		if ((type == EXT_ALPN && has_alpn) ||
		    (type == EXT_SUPPORTED_VERSIONS && has_version))
			return "an extension twice";
		has_alpn |= type == EXT_ALPN;
		has_version |= type == EXT_SUPPORTED_VERSIONS;
		if (type == EXT_SUPPORTED_VERSIONS && body.n != 2)
			return "a chosen version of a wrong length";
		if (type == EXT_SUPPORTED_VERSIONS)
			h->version = (uint16_t)(body.p[0] << 8 | body.p[1]);
		const char *why = type == EXT_ALPN ? take_chosen_protocol(body, h) : NULL;
		if (why)
			return why;
	}
	return NULL;
}

/* The drafts of TLS 1.3 up to the 21st have neither session nor compression here. */
static bool is_draft_without_session(uint16_t version)
{
	return version >= 0x7f00 && version <= 0x7f15;
}

const char *tls_parse_server_hello(struct bytes message, struct tls_server_hello *h)
{
	struct reader r = reader_of(bytes_from(message, 4)); /* the caller knows its type, length */
	*h = (struct tls_server_hello){.version = read_u16be(&r)};
	const bool is_short = is_draft_without_session(h->version);
	const struct bytes random = read_bytes(&r, RANDOM_SIZE);
	const struct bytes session = read_vector(&r, is_short ? 0 : 1);
	h->cipher = read_u16be(&r);
	read_skip(&r, is_short ? 0 : 1); /* compression */
	const struct bytes extensions = read_extensions(&r);
	if (!reader_ok(&r) || reader_left(&r) > 0)
		return not_whole;
	if (!is_short && (h->version < TLS_SSL3 || h->version > TLS_1_2))
		return "a hello of no known version";
	if (session.n > SESSION_MAX)
		return "a session of a wrong length";
	h->is_retry = bytes_equal(random, bytes_of(retry_random, sizeof retry_random));
	return take_server_extensions(extensions, h);
}
