/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/replay.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <pcap/sll.h>
#include <stdlib.h>

enum {
	ETHERTYPE_V4 = 0x0800,
	ETHERTYPE_V6 = 0x86dd,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_QINQ = 0x88a8,
	FRAME_MAX = 256 * 1024,
	NFLOG_HEADER = 4,
	NFLOG_PAYLOAD = 9, /* type of the attribute that holds the packet */
};

struct replay {
	pcap_t *pcap;
	int link;
	bool nanoseconds;
	uint32_t n;
	uint64_t skipped;
	uint8_t packet[FRAME_MAX]; /* writable copy for the engine */
};

static bool is_readable(int link)
{
	switch (link) {
	case DLT_EN10MB:
	case DLT_LINUX_SLL:
	case DLT_LINUX_SLL2:
	case DLT_NULL:
	case DLT_LOOP:
	case DLT_NFLOG:
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return true;
	default:
		return false;
	}
}

int replay_open(const char *path, struct replay **out, struct error *err)
{
	char why[PCAP_ERRBUF_SIZE];
	struct replay *r = calloc(1, sizeof(*r));
	if (!r)
		return error_set(err, -ENOMEM, "out of memory");
	r->pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!r->pcap) {
		free(r);
		return error_set(err, -EINVAL, "%s: %s", path, why);
	}
	r->link = pcap_datalink(r->pcap);
	if (!is_readable(r->link)) {
		const char *name = pcap_datalink_val_to_description(r->link);
		int e = error_set(err, -EINVAL, "%s: frames of link type %d (%s) are not read",
				  path, r->link, name ? name : "unknown");
		replay_close(r);
		return e;
	}
	*out = r;
	return 0;
}

void replay_close(struct replay *r)
{
	if (!r)
		return;
	pcap_close(r->pcap);
	free(r);
}

uint64_t replay_skipped(const struct replay *r)
{
	return r->skipped;
}

static struct bytes after_ethertype(struct reader *r, uint16_t type)
{
	while (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ) {
		read_skip(r, 2);
		type = read_u16be(r);
	}
	bool ip = reader_ok(r) && (type == ETHERTYPE_V4 || type == ETHERTYPE_V6);
	return ip ? bytes_from(r->in, r->pos) : (struct bytes){0};
}

/* What `iptables -j NFLOG` logged: attributes of length, type, value, each padded to 4 bytes; in
 * the byte order of the host that wrote it, which is taken to be ours.
 * https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html */
static struct bytes nflog_payload(struct bytes frame)
{
	struct reader r = reader_of(frame);
	read_skip(&r, NFLOG_HEADER);
	while (reader_ok(&r)) {
		uint16_t attribute[2] = {0};
		struct bytes head = read_bytes(&r, sizeof(attribute));
		if (head.n)
			memcpy(attribute, head.p, sizeof(attribute));
		if (attribute[0] < sizeof(attribute))
			break;
		struct bytes value = read_bytes(&r, attribute[0] - sizeof(attribute));
		if (attribute[1] == NFLOG_PAYLOAD)
			return value;
		read_skip(&r, -(size_t)attribute[0] % 4);
	}
	return (struct bytes){0};
}

/* The IP packet in a frame; empty when there is none. */
static struct bytes ip_packet(int link, struct bytes frame, struct capture_packet *out)
{
	struct reader r = reader_of(frame);
	switch (link) {
	case DLT_EN10MB: {
		read_skip(&r, 6);
		struct bytes mac = read_bytes(&r, 6);
		uint16_t type = read_u16be(&r);
		if (mac.n == 6) {
			memcpy(out->mac, mac.p, 6);
			out->has_mac = true;
		}
		return after_ethertype(&r, type);
	}
	case DLT_LINUX_SLL:
		read_skip(&r, 14);
		return after_ethertype(&r, read_u16be(&r));
	case DLT_LINUX_SLL2: {
		uint16_t type = read_u16be(&r);
		read_skip(&r, 18);
		return after_ethertype(&r, type);
	}
	case DLT_NULL:
	case DLT_LOOP:
		return bytes_from(frame, 4);
	case DLT_NFLOG:
		return nflog_payload(frame);
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return frame;
	default:
		return (struct bytes){0};
	}
}

int replay_next(struct replay *r, struct capture_packet *out, uint64_t *time_ns)
{
	for (;;) {
		struct pcap_pkthdr *header;
		const u_char *data;
		int rc = pcap_next_ex(r->pcap, &header, &data);
		if (rc == PCAP_ERROR_BREAK)
			return 0;
		if (rc != 1)
			return -EIO;
		*out = (struct capture_packet){.id = ++r->n, .checksum_verified = true};
		struct bytes packet = ip_packet(r->link, bytes_of(data, header->caplen), out);
		if (packet.n == 0 || packet.n > sizeof(r->packet)) {
			r->skipped++;
			continue;
		}
		memcpy(r->packet, packet.p, packet.n);
		out->data = r->packet;
		out->n = (uint32_t)packet.n;
		/* A packet that is cut is shorter than its IP header says: decoding finds that. A
		 * frame's length says less, since what is missing may be a trailer. */
		*time_ns = (uint64_t)header->ts.tv_sec * UINT64_C(1000000000) +
			   (uint64_t)header->ts.tv_usec;
		return 1;
	}
}
