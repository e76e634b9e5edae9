/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls/tls_event.h"

/* As other writers of such records spell them. */
static const char *const version_names[] = {"SSLv3", "TLSv1", "TLS 1.1", "TLS 1.2", "TLS 1.3"};
static const char *const version_words[] = {"sslv3",   "tlsv1",	  "tls 1.1",
					    "tls 1.2", "tls 1.3", NULL};
static const char *const version_1_0[] = {"tlsv1", NULL};
static const char *const version_1_1[] = {"tls 1.1", NULL};
static const char *const version_1_2[] = {"tls 1.2", NULL};
static const char *const version_1_3[] = {"tls 1.3", NULL};
static const struct dis_group version_groups[] = {
	{"1.0", version_1_0}, {"1.1", version_1_1}, {"1.2", version_1_2},
	{"1.3", version_1_3}, {NULL, NULL},
};

const struct dis_field tls_fields[TLS_N_FIELDS] = {
	[TLS_F_SNI] = {.name = "sni", .key = "sni", .match = DIS_MATCH_NOCASE},
	[TLS_F_ALPN] = {.name = "alpn", .key = "alpn", .match = DIS_MATCH_GLOB, .is_list = true},
	[TLS_F_VERSION] = {.name = "version",
			   .key = "versions",
			   .match = DIS_MATCH_WORD,
			   .words = version_words,
			   .groups = version_groups},
	[TLS_F_JA4] = {.name = "ja4", .key = "ja4", .match = DIS_MATCH_GLOB},
	[TLS_F_ECH] = {.name = "ech", .key = "ech", .type = DIS_NUMBER},
	[TLS_F_EARLY_DATA] = {.name = "early_data", .key = "early_data", .type = DIS_NUMBER},
	[TLS_F_CIPHER] = {.name = "cipher"},
	[TLS_F_RETRY] = {.name = "hello_retry", .type = DIS_NUMBER},
	[TLS_F_ALERT] = {.name = "alert", .type = DIS_NUMBER},
	[TLS_F_OPAQUE] = {.name = "opaque"},
};

enum { CODE_TEXT = 6 }; /* 0x1301 */

/* The values of one event while it is put together, and the texts that are made for it. */
struct draft {
	struct dis_value v[TLS_ALPN_MAX + TLS_N_FIELDS];
	size_t n;
	uint32_t flags;
	char ja4[TLS_JA4_SIZE], version[CODE_TEXT], cipher[CODE_TEXT];
};

_Static_assert(TLS_ALPN_MAX + TLS_N_FIELDS <= DIS_VALUES_MAX, "an event holds every protocol");

static void draft_init(struct draft *d)
{
	d->n = 0;
	d->flags = 0;
}

static void put_text(struct draft *d, enum tls_field field, struct bytes text)
{
	if (text.n)
		d->v[d->n++] = (struct dis_value){.field = (uint16_t)field, .text = text};
}

static void put_number(struct draft *d, enum tls_field field, uint64_t number)
{
	d->v[d->n++] = (struct dis_value){.field = (uint16_t)field, .number = number};
}

static void put_code(struct draft *d, enum tls_field field, uint16_t code, char text[CODE_TEXT])
{
	static const char hex[] = "0123456789abcdef";
	text[0] = '0';
	text[1] = 'x';
	for (size_t i = 0; i < 4; i++)
		text[2 + i] = hex[code >> (12 - 4 * i) & 15];
	put_text(d, field, bytes_of(text, CODE_TEXT));
}

static void put_version(struct draft *d, uint16_t version)
{
	if (version >= TLS_SSL3 && version <= TLS_1_3)
		put_text(d, TLS_F_VERSION, bytes_str(version_names[version - TLS_SSL3]));
	else
		put_code(d, TLS_F_VERSION, version, d->version);
}

/* GREASE is left out: no server chooses it, and a rule should not have to name it. */
static void put_protocols(struct draft *d, struct bytes list)
{
	for (size_t n = 0; list.n > 0; n++) {
		const struct bytes protocol = tls_next_protocol(&list);
		if (tls_is_grease_protocol(protocol))
			continue;
		if (n >= TLS_ALPN_MAX) {
			d->flags |= DIS_UNPROVEN;
			return;
		}
		put_text(d, TLS_F_ALPN, protocol);
	}
}

static void emit(const struct dis_sink *sink, enum dis_kind kind, const struct draft *d)
{
	const struct dis_event e = {
		.kind = kind, .flags = d->flags, .values = d->v, .n_values = d->n};
	sink->event(sink->ctx, &e);
}

void tls_emit_request(const struct tls_client_hello *h, enum tls_transport transport,
		      const struct dis_sink *sink)
{
	struct draft d;
	draft_init(&d);
	put_text(&d, TLS_F_SNI, bytes_of(h->sni, h->sni_n));
	put_protocols(&d, h->alpn);
	if (h->highest_known)
		put_version(&d, h->highest_known);
	tls_put_ja4(h, transport, d.ja4);
	put_text(&d, TLS_F_JA4, bytes_of(d.ja4, sizeof d.ja4));
	put_number(&d, TLS_F_ECH, h->has_ech);
	put_number(&d, TLS_F_EARLY_DATA, h->has_early_data);
	emit(sink, DIS_REQUEST, &d);
}

void tls_emit_choice(struct bytes sni, const struct tls_server_hello *h, const char *opaque,
		     const struct dis_sink *sink)
{
	struct draft d;
	draft_init(&d);
	put_text(&d, TLS_F_SNI, sni);
	put_text(&d, TLS_F_ALPN, h->alpn);
	put_version(&d, h->version);
	put_code(&d, TLS_F_CIPHER, h->cipher, d.cipher);
	if (h->is_retry)
		put_number(&d, TLS_F_RETRY, 1);
	emit(sink, DIS_REPLY, &d);
	if (h->is_retry)
		return;
	draft_init(&d);
	put_text(&d, TLS_F_SNI, sni);
	put_version(&d, h->version);
	put_text(&d, TLS_F_OPAQUE, bytes_str(opaque));
	emit(sink, DIS_OPAQUE, &d);
}

void tls_emit_alert(uint8_t description, const struct dis_sink *sink)
{
	struct draft d;
	draft_init(&d);
	put_number(&d, TLS_F_ALERT, description);
	emit(sink, DIS_REPLY, &d);
}

void tls_emit_claim(const struct dis_sink *sink)
{
	emit(sink, DIS_CLAIM, &(struct draft){.n = 0});
}

bool tls_say(struct bytes text, const struct dis_sink *sink)
{
	uint8_t name[TLS_NAME_MAX];
	size_t n;
	if (bytes_is_nocase(bytes_slice(text, 0, 4), "sni "))
		text = bytes_from(text, 4);
	if (tls_put_name(text, name, &n))
		return false;
	struct draft d;
	draft_init(&d);
	put_text(&d, TLS_F_SNI, bytes_of(name, n));
	emit(sink, DIS_REQUEST, &d);
	return true;
}
