/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The party that attacks: raw frames on a veth. It counts what it said and what it was told, like a
 * TCP, and nothing forces it to use that honestly.
 */
#ifndef EVASION_PEER_H
#define EVASION_PEER_H

#include "app.h"
#include "frame.h"

enum peer_options { PEER_PLAIN, PEER_TS, PEER_SACK, PEER_ALL, N_PEER_OPTIONS };

enum { TCP_F = 1, TCP_S = 2, TCP_R = 4, TCP_P = 8, TCP_A = 16, TCP_U = 32 };

/* What one segment has that others do not. Zeroed: an ordinary one. */
struct peer_whim {
	bool has_flags, has_ts, no_ts, has_window, no_options;
	uint8_t flags, reserved;
	int32_t seq_off, ack_off, ts_off;
	uint16_t window, urgent;
	uint32_t tsecr;
	bool has_tsecr;
	int doff;
	enum frame_sum sum;
	uint8_t options[FRAME_OPTIONS_MAX];
	size_t n_options;
	unsigned gso;		/* segment size: one frame for the kernel to cut */
	struct frame_ip ip;	/* ttl, df, reserved, bad_sum, length_off, trail, options, chain */
	struct frame_link link; /* vlan, tag, type */
	int udp_length_off;
	uint16_t src_port; /* 0: the connection's */
	bool zero_src_port, broadcast_src, same_id;
};

/*
 * Somebody between this party and the wire: a segment or datagram goes to `sends` in place of the
 * wire, a frame that came to `hears` first, which may change it, or keep it by saying false.
 */
struct peer_hooks {
	void (*sends)(void *owner, uint8_t proto, const uint8_t *unit, size_t n);
	bool (*hears)(void *owner, uint8_t *frame, size_t n);
	void *owner;
};

struct peer {
	int fd;
	const struct peer_hooks *hooks; /* NULL: nobody; set after peer_begin() */
	struct frame_link link;
	struct frame_ip ip;
	uint16_t src_port, dst_port;
	enum peer_options options;
	uint16_t mss, window;
	uint8_t wscale;
	bool has_ts;   /* both agreed */
	uint32_t base; /* position 0 of the stream */
	uint32_t isn;  /* of the SYN */
	uint32_t n_syn_data;
	uint32_t acked;		  /* by the other side: absolute */
	uint32_t their_isn, next; /* what we expect of it */
	uint32_t ts_now, ts_recent;
	bool has_syn, has_syn_ack, has_reset, has_fin, owes_ack, is_mute;
	bool has_strange_option;  /* the other side's SYN had one that nobody may pass on */
	size_t n_challenges;	  /* bare acknowledgements of nothing new */
	uint32_t heard_ack;	  /* of the last segment that came */
	size_t n_answers;	  /* whole answers of a server */
	uint32_t id, fragment_id; /* the latter also tells workers apart */
};

int peer_open(struct peer *p, const struct world *w, unsigned number);

/* For one fragmented packet: nobody else uses it. */
uint32_t peer_new_fragment_id(struct peer *p);
void peer_close(struct peer *p);

/* A new connection, with nothing said. */
void peer_begin(struct peer *p, const struct frame_link *link, const struct frame_ip *ip,
		uint16_t src_port, uint16_t dst_port, enum peer_options options, uint32_t isn);

void peer_syn(struct peer *p, const struct peer_whim *whim, const uint8_t *data, size_t n);
void peer_syn_ack(struct peer *p, const struct peer_whim *whim, const uint8_t *data, size_t n);
void peer_segment(struct peer *p, const struct peer_whim *whim, uint32_t seq, const uint8_t *data,
		  size_t n);
void peer_datagram(struct peer *p, const struct peer_whim *whim, const uint8_t *data, size_t n);
void peer_raw(struct peer *p, const struct peer_whim *whim, uint8_t proto, const uint8_t *data,
	      size_t n);

/* The IP payload that peer_segment would send; for fragments. */
size_t peer_build(struct peer *p, const struct peer_whim *whim, uint32_t seq, const uint8_t *data,
		  size_t n, uint8_t *out);
size_t peer_build_datagram(struct peer *p, const struct peer_whim *whim, const uint8_t *data,
			   size_t n, uint8_t *out);
void peer_send_piece(struct peer *p, const struct peer_whim *whim, const struct frame_piece *piece,
		     uint8_t proto, const uint8_t *payload, size_t n);

/* Reads what came, waiting at most that long for the first. */
void peer_turn(struct peer *p, struct app *app, int wait_ms, size_t app_most);

#endif
