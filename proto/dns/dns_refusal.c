/* SPDX-License-Identifier: GPL-2.0-or-later */
/* REFUSED (RFC 1035 4.1.1), and to whoever speaks EDNS why: "Blocked" with the sentence (RFC 8914
 * 4.16). */
#include "dns_message.h"

enum {
	RCODE_REFUSED = 5,
	FLAG_REPLY = 0x80, /* of the third octet; opcode and "recursion desired" stay */
	FLAGS_KEPT = 0x79,
	OPTION_EDE = 15,
	EDE_BLOCKED = 15,
	UDP_PAYLOAD = 1232, /* what we would take; DNS flag day 2020 */
};

static bool has_edns(const struct dns_message *m)
{
	struct dns_reader at = dns_reader_at(m->all, m->records_at);
	unsigned n = m->counts[DNS_ANSWER] + m->counts[DNS_AUTHORITY] + m->counts[DNS_ADDITIONAL];
	struct dns_record r;
	r.owner_pointer = 0;
	for (unsigned i = 0; i < n; i++) {
		(void)dns_read_record(&at, &r); /* whose it is does not matter */
		if (r.type == DNS_TYPE_OPT)
			return true;
	}
	return false;
}

static void put_u16(uint8_t *p, size_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static size_t put_edns(uint8_t *out, struct bytes why)
{
	memset(out, 0, 11); /* the root's name, type, payload size, flags, length */
	out[2] = DNS_TYPE_OPT;
	put_u16(out + 3, UDP_PAYLOAD);
	put_u16(out + 9, 4 + 2 + why.n);
	put_u16(out + 11, OPTION_EDE);
	put_u16(out + 13, 2 + why.n);
	put_u16(out + 15, EDE_BLOCKED);
	memcpy(out + 17, why.p, why.n);
	return 17 + why.n;
}

size_t dns_refusal(const struct dns_message *m, struct bytes why, uint8_t *out)
{
	bool has_question = m->opcode == DNS_OPCODE_QUERY;
	size_t n = has_question ? m->records_at : DNS_HEADER_SIZE;
	memcpy(out, m->all.p, n); /* at most a header, a name and its type */
	out[2] = (uint8_t)(FLAG_REPLY | (out[2] & FLAGS_KEPT));
	out[3] = RCODE_REFUSED;
	memset(out + 4, 0, 8);
	out[5] = has_question;
	if (has_question && has_edns(m)) {
		out[11] = 1;
		n += put_edns(out + n, why);
	}
	return n;
}
