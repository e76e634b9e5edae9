/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packet/rewrite.h"

#include "packet/checksum.h"

#include <netinet/in.h>

enum tcp_option {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WSCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_SACK = 5,
	OPTION_TIMESTAMPS = 8,
	OPTION_MD5 = 19,
	OPTION_AO = 29,
};

enum {
	WSCALE_MAX = 14,
	TCP_OFFSET_AT = 12,
	TCP_FLAGS_AT = 13,
	TCP_CHECKSUM_AT = 16,
	TCP_URGENT_AT = 18,
	IPV4_FRAGMENT_AT = 6,
	IPV4_RESERVED = 0x80, /* the "evil bit": some drop it, Linux does not (I03) */
};

static bool option_is_allowed(uint8_t kind, size_t length, bool is_syn)
{
	switch (kind) {
	case OPTION_MSS:
		return is_syn && length == 4;
	case OPTION_WSCALE:
		return is_syn && length == 3;
	case OPTION_SACK_PERMITTED:
		return is_syn && length == 2;
	case OPTION_SACK:
		return !is_syn && length >= 10 && length <= 34 && length % 8 == 2;
	case OPTION_TIMESTAMPS:
		return length == 10;
	default:
		return false;
	}
}

/* Nearly every segment carries exactly NOP NOP TIMESTAMPS, or nothing. */
static bool options_are_usual(struct bytes o)
{
	static const uint8_t usual[4] = {OPTION_NOP, OPTION_NOP, OPTION_TIMESTAMPS, 10};
	return o.n == 0 || (o.n == 12 && memcmp(o.p, usual, sizeof(usual)) == 0);
}

static enum clean_result clean_options(struct bytes options, uint8_t *writable, bool is_syn)
{
	enum clean_result result = CLEAN_SAME;
	struct reader r = reader_of(options);
	while (reader_left(&r) > 0) {
		size_t at = r.pos;
		uint8_t kind = read_u8(&r);
		if (kind == OPTION_NOP)
			continue;
		if (kind == OPTION_END)
			break;
		size_t length = read_u8(&r);
		if (length < 2)
			return CLEAN_REFUSED;
		read_skip(&r, length - 2);
		if (!reader_ok(&r) || kind == OPTION_MD5 || kind == OPTION_AO)
			return CLEAN_REFUSED;
		if (option_is_allowed(kind, length, is_syn))
			continue;
		memset(writable + at, OPTION_NOP, length);
		result = CLEAN_CHANGED;
	}
	return result;
}

enum clean_result packet_clean_tcp(struct packet *p, uint8_t *raw)
{
	uint8_t *tcp = raw + p->l4_at;
	enum clean_result result = CLEAN_SAME;
	if (p->ip_version == 4 && (raw[IPV4_FRAGMENT_AT] & IPV4_RESERVED)) {
		raw[IPV4_FRAGMENT_AT] &= (uint8_t)~IPV4_RESERVED;
		result = CLEAN_CHANGED;
	}
	if ((tcp[TCP_OFFSET_AT] & 0x0f) || (p->tcp_flags & TCP_URG) || p->urgent) {
		tcp[TCP_OFFSET_AT] &= 0xf0;
		tcp[TCP_FLAGS_AT] &= (uint8_t)~TCP_URG;
		memset(tcp + TCP_URGENT_AT, 0, 2);
		p->tcp_flags &= (uint8_t)~TCP_URG;
		p->urgent = 0;
		result = CLEAN_CHANGED;
	}
	bool is_syn = p->tcp_flags & TCP_SYN;
	if (!is_syn && options_are_usual(p->tcp_options))
		return result;
	enum clean_result options = clean_options(p->tcp_options, tcp + 20, is_syn);
	return options == CLEAN_SAME ? result : options;
}

static void put_u16be(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

void packet_trim_data(struct packet *p, uint8_t *raw, size_t n)
{
	if (n >= p->data.n)
		return;
	p->raw.n -= p->data.n - n;
	p->data.n = n;
	if (p->ip_version == 4)
		put_u16be(raw + 2, (uint16_t)p->raw.n);
	else
		put_u16be(raw + 4, (uint16_t)(p->raw.n - 40));
}

void packet_clear_flags(struct packet *p, uint8_t *raw, uint8_t flags)
{
	raw[p->l4_at + TCP_FLAGS_AT] &= (uint8_t)~flags;
	p->tcp_flags &= (uint8_t)~flags;
}

void packet_fix_checksums(const struct packet *p, uint8_t *raw)
{
	if (p->ip_version == 4) {
		put_u16be(raw + 10, 0);
		put_u16be(raw + 10, checksum_ipv4_header(raw, 20));
	}
	size_t field = p->ip_proto == IPPROTO_TCP   ? TCP_CHECKSUM_AT
		       : p->ip_proto == IPPROTO_UDP ? 6
						    : 2;
	put_u16be(raw + p->l4_at + field, 0);
	struct bytes transport = bytes_of(raw + p->l4_at, p->raw.n - p->l4_at);
	uint16_t sum = checksum_transport(&p->src, &p->dst, p->ip_proto, transport);
	if (sum == 0 && p->ip_proto == IPPROTO_UDP)
		sum = 0xffff; /* 0 would mean "none" */
	put_u16be(raw + p->l4_at + field, sum);
}

struct tcp_offer packet_tcp_offer(const struct packet *p)
{
	struct tcp_offer offer = {0};
	struct reader r = reader_of(p->tcp_options);
	while (reader_left(&r) > 0 && reader_ok(&r)) {
		uint8_t kind = read_u8(&r);
		if (kind == OPTION_NOP)
			continue;
		if (kind == OPTION_END)
			break;
		size_t length = read_u8(&r);
		struct bytes value = read_bytes(&r, length < 2 ? 0 : length - 2);
		if (kind == OPTION_MSS && value.n == 2)
			offer.mss = (uint16_t)(value.p[0] << 8 | value.p[1]);
		if (kind == OPTION_WSCALE && value.n == 1) {
			offer.has_wscale = true;
			offer.wscale = value.p[0] > WSCALE_MAX ? WSCALE_MAX : value.p[0];
		}
	}
	return offer;
}
