/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow/tcp.h"

#include "packet/rewrite.h"
#include "stream/reasm.h"

/* What kind of segment it is, by its flags alone. */
enum input { IN_SYN, IN_SYN_ACK, IN_RST, IN_ACK, IN_ODD, N_INPUTS };

enum { N_STATES = FLOW_TCP_CLOSED + 1 };

typedef enum tcp_fate step_fn(struct flow *f, unsigned dir,
			      const struct packet *p); /* a table needs a name for it */

static enum input classify(uint8_t flags)
{
	switch (flags & (TCP_SYN | TCP_RST | TCP_FIN | TCP_ACK)) {
	case TCP_SYN:
		return IN_SYN;
	case TCP_SYN | TCP_ACK:
		return IN_SYN_ACK;
	case TCP_RST:
	case TCP_RST | TCP_ACK:
		return IN_RST;
	case TCP_ACK:
	case TCP_ACK | TCP_FIN:
		return IN_ACK;
	default:
		return IN_ODD; /* SYN with FIN or RST, data without ACK (T24, T25, T39) */
	}
}

uint32_t tcp_sent_end(const struct half *h)
{
	return h->fin_passed ? h->fin + 1 : h->passed;
}

static void begin_half(struct half *h, uint32_t isn, uint8_t wscale)
{
	uint32_t first = isn + 1;
	h->isn = isn;
	h->next = h->fed = h->passed = h->acked = h->top = first;
	h->edge = first + 1; /* until the other side says more */
	h->wscale = wscale;
	h->is_tracked = true;
}

static uint8_t wscale_of(const struct packet *p)
{
	struct tcp_offer offer = packet_tcp_offer(p);
	return offer.has_wscale ? offer.wscale : 0;
}

void tcp_begin_half(struct half *h, const struct packet *p)
{
	begin_half(h, p->seq, wscale_of(p));
}

void tcp_pend(struct flow *f, const struct packet *syn, uint64_t now_ns)
{
	f->pending = (struct pending_syn){now_ns, syn->seq, wscale_of(syn)};
}

void tcp_begin_pending(struct flow *f, const struct pending_syn *pending)
{
	begin_half(&f->half[0], pending->isn, pending->wscale);
	f->tcp = FLOW_TCP_SYN_SENT;
}

static bool takes_pending(const struct flow *f, const struct packet *p)
{
	return f->pending.seen_ns != 0 && p->ack == f->pending.isn + 1;
}

static enum tcp_fate pass(struct flow *f, unsigned dir, const struct packet *p)
{
	(void)f, (void)dir, (void)p; /* nothing to learn from it */
	return TCP_GO;
}

static enum tcp_fate stop(struct flow *f, unsigned dir, const struct packet *p)
{
	(void)f, (void)dir, (void)p; /* whatever it is, nobody may see it */
	return TCP_STOP;
}

/* A SYN of the opener: the same one again, or perhaps a new connection. */
static enum tcp_fate syn(struct flow *f, unsigned dir, const struct packet *p)
{
	const struct half *h = &f->half[dir];
	if (f->phase == FLOW_DENIED || f->phase == FLOW_WAITING)
		return TCP_REOPEN; /* nothing of the old one is to be kept */
	return h->is_tracked && p->seq == h->isn && f->tcp <= FLOW_TCP_OPEN ? TCP_GO : TCP_PEND;
}

/* The two changed their parts: whoever was called before calls now. */
static enum tcp_fate syn_back(struct flow *f, unsigned dir, const struct packet *p)
{
	(void)f, (void)dir, (void)p; /* the old connection is over */
	return TCP_REOPEN;
}

/* The answer that opens: only its acknowledgement proves which SYN the receiver took (T57). */
static enum tcp_fate syn_ack(struct flow *f, unsigned dir, const struct packet *p)
{
	struct half *opener = &f->half[!dir];
	if (takes_pending(f, p))
		tcp_begin_pending(f, &f->pending);
	else if (p->ack != opener->isn + 1)
		return TCP_STOP;
	f->pending.seen_ns = 0;
	bool scaled = packet_tcp_offer(p).has_wscale;
	if (!scaled)
		opener->wscale = 0; /* RFC 7323 2.2: both or none */
	tcp_begin_half(&f->half[dir], p);
	/* The window in a SYN-ACK is not scaled. */
	opener->edge = p->ack + p->window;
	f->tcp = FLOW_TCP_OPEN;
	return TCP_GO;
}

static enum tcp_fate syn_ack_again(struct flow *f, unsigned dir, const struct packet *p)
{
	const struct half *h = &f->half[dir];
	if (takes_pending(f, p))
		return TCP_REPLACE;
	return p->seq == h->isn && p->ack == f->half[!dir].isn + 1 ? TCP_GO : TCP_STOP;
}

static enum tcp_fate syn_ack_late(struct flow *f, unsigned dir, const struct packet *p)
{
	(void)dir; /* of the old connection nothing opens any more */
	return takes_pending(f, p) ? TCP_REPLACE : TCP_STOP;
}

static enum tcp_fate syn_ack_unfollowed(struct flow *f, unsigned dir, const struct packet *p)
{
	(void)dir; /* its numbers are not known */
	return takes_pending(f, p) ? TCP_REPLACE : TCP_GO;
}

/* RFC 9293 3.10.7.3: refused. */
static enum tcp_fate refusal(struct flow *f, unsigned dir, const struct packet *p)
{
	if (!(p->tcp_flags & TCP_ACK) || p->ack != f->half[!dir].isn + 1)
		return TCP_STOP;
	f->tcp = FLOW_TCP_CLOSED;
	return TCP_GO;
}

/* The opener gives up before an answer, or answers a challenge for a connection that is long gone
 * (T62). */
static enum tcp_fate give_up(struct flow *f, unsigned dir, const struct packet *p)
{
	(void)dir, (void)p; /* carries nothing that the receiver could take for this connection */
	f->tcp = FLOW_TCP_SYN_SENT;
	return TCP_GO;
}

/* An answer that is no SYN-ACK: a challenge for an old connection. No data may come this way. */
static enum tcp_fate challenge(struct flow *f, unsigned dir, const struct packet *p)
{
	(void)f, (void)dir; /* nothing moves */
	return p->data.n == 0 && !(p->tcp_flags & TCP_FIN) ? TCP_GO : TCP_STOP;
}

static bool ack_is_possible(const struct half *peer, uint32_t ack)
{
	return !peer->is_tracked || !seq_after(ack, tcp_sent_end(peer));
}

/* RFC 5961: only the exact number kills; between what was acknowledged and what was sent we cannot
 * know the receiver's. The state stays and goes on enforcing. */
static enum tcp_fate reset(struct flow *f, unsigned dir, const struct packet *p)
{
	const struct half *h = &f->half[dir];
	if (h->is_tracked && (seq_before(p->seq, h->acked) || seq_after(p->seq, tcp_sent_end(h))))
		return TCP_STOP;
	if ((p->tcp_flags & TCP_ACK) && !ack_is_possible(&f->half[!dir], p->ack))
		return TCP_STOP;
	f->tcp = FLOW_TCP_CLOSED;
	return TCP_GO;
}

/* What the sender of this segment says about the bytes it received. */
static void learn_ack(struct half *peer, const struct half *self, const struct packet *p)
{
	if (!peer->is_tracked)
		return;
	uint32_t ack = seq_min(p->ack, peer->next);
	peer->acked = seq_max(peer->acked, ack);
	uint32_t edge = p->ack + ((uint32_t)p->window << self->wscale);
	peer->edge = seq_max(peer->edge, edge);
}

/* Is the first byte inside the receiver's window (T16, T17)? Where its acknowledgements are not
 * seen, a bound of our own. */
static bool starts_in_window(const struct flow *f, const struct half *h, uint32_t seq)
{
	if (!h->is_tracked)
		return true;
	if (f->pending.seen_ns != 0 && h == &f->half[0])
		return !seq_after(seq, h->next); /* ahead of a gap: it may be the new one's */
	if (f->replies_unseen)
		return (int32_t)(seq - h->next) <= REASM_AHEAD_MAX;
	return !seq_after(seq, h->edge);
}

static enum tcp_fate segment(struct flow *f, unsigned dir, const struct packet *p)
{
	struct half *h = &f->half[dir], *peer = &f->half[!dir];
	if (!ack_is_possible(peer, p->ack) || !starts_in_window(f, h, p->seq))
		return TCP_STOP;
	learn_ack(peer, h, p);
	return TCP_GO;
}

static enum tcp_fate untracked_end(struct flow *f, unsigned dir, const struct packet *p)
{
	(void)dir;
	if (p->tcp_flags & TCP_RST)
		f->tcp = FLOW_TCP_CLOSED;
	return TCP_GO;
}

/* One row a state; per direction what each kind of segment does. */
static step_fn *const steps[N_STATES][2][N_INPUTS] = {
	[FLOW_TCP_NONE] = {{[IN_SYN] = syn, pass, untracked_end, pass, stop},
			   {[IN_SYN] = stop, syn_ack_unfollowed, untracked_end, pass, stop}},
	[FLOW_TCP_SYN_SENT] = {{[IN_SYN] = syn, stop, give_up, stop, stop},
			       {[IN_SYN] = stop, syn_ack, refusal, challenge, stop}},
	[FLOW_TCP_OPEN] = {{[IN_SYN] = syn, stop, reset, segment, stop},
			   {[IN_SYN] = stop, syn_ack_again, reset, segment, stop}},
	[FLOW_TCP_CLOSING] = {{[IN_SYN] = syn, stop, reset, segment, stop},
			      {[IN_SYN] = stop, syn_ack_again, reset, segment, stop}},
	[FLOW_TCP_CLOSED] = {{[IN_SYN] = syn, stop, reset, segment, stop},
			     {[IN_SYN] = syn_back, syn_ack_late, reset, segment, stop}},
};

enum tcp_fate tcp_track(struct flow *flow, unsigned dir, const struct packet *p)
{
	return steps[flow->tcp][dir][classify(p->tcp_flags)](flow, dir, p);
}
