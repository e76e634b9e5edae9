/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only file that knows netlink's queue protocol (linux/netfilter/nfnetlink_queue.h).
 *
 * Reading: one recvmmsg for up to READ_BATCH packets. Answering: all verdicts of a batch leave in
 * one sendmsg. Where every packet up to some id is simply accepted, one batch verdict stands for
 * all of them; that is allowed only while no older packet waits for its verdict, since it would be
 * accepted too.
 */
#include "capture/nfqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONFIG_BYTES = 8192,
	READ_BATCH = 32,
	READ_BYTES = 65536 + 1024, /* a 64 KiB packet and its attributes */
	SEND_BYTES = 256 * 1024,   /* verdicts waiting to leave */
	SEND_ROOM = 65536 + 512,   /* the largest single verdict */
	OWN_BYTES = 64 * 1024,	   /* packets of our own waiting to leave: some hundred refusals */
	COPY_RANGE = 65535,
	PACKET_BYTES_IN_QUEUE =
		4096, /* what an average packet costs the receive buffer, metadata included */
	RECEIVE_BUFFER_MAX = 256 << 20,
	FRESH_SHARE = 8, /* the queue of first packets has this part of the other's length ... */
	FRESH_MIN = 64,	 /* ... and at least so many */
	FRESH_IN_FLOOD = 32,
	FLOOD_READS = 32, /* full batches in a row, a quarter of each first packets: a flood */
};

#define FLOOD_NS UINT64_C(10000000000) /* a flood is over when there was none for so long */

/* Packets are numbered by each queue; their ids say which: the lane in the upper half. */
enum lane_number { LANE_KNOWN, LANE_FRESH, N_LANES };

struct lane {
	uint16_t number;     /* of the queue */
	uint32_t batch_id;   /* accept everything up to here, if has_batch */
	uint32_t unanswered; /* read, no verdict yet */
	uint32_t in_batch;   /* accepted packets that the pending batch verdict stands for */
	uint32_t n_read;     /* in all; it wraps */
	bool has_batch, has_read;
};

struct nfqueue {
	int fd, raw4, raw6;
	struct lane lanes[N_LANES];
	uint32_t fresh_length;	/* of the queue of first packets, when there is no flood */
	unsigned n_crowded;	/* reads in a row that were full of first packets */
	bool is_short;		/* that queue, as the kernel has it */
	uint64_t flood_ends_ns; /* CLOCK_MONOTONIC */
	uint32_t seq;
	struct shared_counters *counters;
	size_t n_send;
	uint8_t *send;
	uint8_t *read; /* READ_BATCH buffers */
	size_t n_own;
	uint8_t *own; /* packets to inject, each behind its length (2 bytes, our order) */
};

/* nfq_nlmsg_put() with an acknowledgement asked for. */
static struct nlmsghdr *config_message(char *buffer, uint16_t number)
{
	struct nlmsghdr *h = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, number);
	h->nlmsg_flags |= NLM_F_ACK;
	return h;
}

static int configure(struct mnl_socket *nl, uint16_t number, uint32_t length)
{
	char buffer[CONFIG_BYTES];
	struct nlmsghdr *h = config_message(buffer, number);
	nfq_nlmsg_cfg_put_cmd(h, AF_INET, NFQNL_CFG_CMD_BIND);
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	ssize_t n = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));
	if (n < 0 || mnl_cb_run(buffer, (size_t)n, 0, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		return -errno;
	h = config_message(buffer, number);
	nfq_nlmsg_cfg_put_params(h, NFQNL_COPY_PACKET, COPY_RANGE);
	nfq_nlmsg_cfg_put_qmaxlen(h, length);
	mnl_attr_put_u32(h, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
	mnl_attr_put_u32(h, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));
	if (n < 0 || mnl_cb_run(buffer, (size_t)n, 0, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		return -errno;
	return 0;
}

static void size_buffers(int fd, uint32_t length)
{
	uint64_t want = (uint64_t)length * PACKET_BYTES_IN_QUEUE;
	int bytes = want > RECEIVE_BUFFER_MAX ? RECEIVE_BUFFER_MAX : (int)want;
	int send_bytes = 4 * SEND_BYTES;
	int on = 1;
	/* All three only help; without them the queue is smaller or says ENOBUFS, which is counted.
	 */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_bytes, sizeof(send_bytes));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof(on));
}

uint32_t nfqueue_fresh_length(uint32_t length)
{
	uint32_t part = length / FRESH_SHARE;
	return part < FRESH_MIN ? FRESH_MIN : part;
}

static int bind_error(int rc, uint16_t number, struct error *err)
{
	if (rc == -EPERM)
		return error_set(
			err, rc,
			"cannot bind netfilter queue %u: not permitted; CAP_NET_ADMIN is needed, "
			"and "
			"another program may own the queue (engine.queue_base chooses others)",
			number);
	if (rc == -EBUSY)
		return error_set(
			err, rc,
			"netfilter queue %u is in use by another program: choose other queues with "
			"engine.queue_base",
			number);
	return error_set(err, rc,
			 "cannot bind netfilter queue %u: %s (is nfnetlink_queue loaded? modprobe "
			 "nfnetlink_queue)",
			 number, strerror(-rc));
}

int nfqueue_bind(struct nfqueue_numbers numbers, uint32_t length, struct error *err)
{
	uint32_t fresh_length = nfqueue_fresh_length(length);
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!nl)
		return error_set(err, -errno, "cannot open a netfilter netlink socket: %s",
				 strerror(errno));
	uint16_t number = numbers.known;
	int rc = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno
								: configure(nl, number, length);
	if (rc == 0) {
		number = numbers.fresh;
		rc = configure(nl, number, fresh_length);
	}
	int fd = -1;
	if (rc == 0) {
		size_buffers(mnl_socket_get_fd(nl), length + fresh_length);
		fd = fcntl(mnl_socket_get_fd(nl), F_DUPFD_CLOEXEC, 3);
		rc = fd < 0 ? -errno : 0;
	}
	(void)mnl_socket_close(nl); /* the duplicate lives on */
	return rc < 0 ? bind_error(rc, number, err) : fd;
}

int nfqueue_open(const struct nfqueue_setup *setup, struct nfqueue **out)
{
	struct nfqueue *q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->fd = -1;
	q->send = malloc(SEND_BYTES + SEND_ROOM);
	q->read = malloc((size_t)READ_BATCH * READ_BYTES);
	q->own = malloc(OWN_BYTES);
	struct timeval patience = {.tv_usec = NFQUEUE_WAIT_MS * 1000L};
	int rc = q->send && q->read && q->own ? 0 : -ENOMEM;
	if (rc == 0 &&
	    setsockopt(setup->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		rc = -errno;
	if (rc < 0) {
		nfqueue_close(q);
		return rc;
	}
	q->fd = setup->fd;
	q->lanes[LANE_KNOWN].number = setup->numbers.known;
	q->lanes[LANE_FRESH].number = setup->numbers.fresh;
	q->fresh_length = nfqueue_fresh_length(setup->length);
	q->is_short = true; /* as the engine before us may have left it */
	q->raw4 = setup->raw4;
	q->raw6 = setup->raw6;
	q->counters = setup->counters;
	*out = q;
	return 0;
}

void nfqueue_close(struct nfqueue *q)
{
	if (!q)
		return;
	if (q->fd >= 0)
		(void)close(q->fd); /* a netlink socket has nothing left to flush */
	free(q->send);
	free(q->read);
	free(q->own);
	free(q);
}

/* Begins a message of the queue protocol at the end of the send buffer. */
static struct nlmsghdr *begin_message(struct nfqueue *q, const struct lane *lane, uint8_t type)
{
	struct nlmsghdr *h = nfq_nlmsg_put((char *)q->send + q->n_send, type, lane->number);
	h->nlmsg_seq = ++q->seq;
	return h;
}

static void end_message(struct nfqueue *q, const struct nlmsghdr *h)
{
	q->n_send += MNL_ALIGN(h->nlmsg_len);
}

static void put_verdict(struct nlmsghdr *h, uint32_t id, bool accept)
{
	struct nfqnl_msg_verdict_hdr verdict = {.verdict = htonl(accept ? NF_ACCEPT : NF_DROP),
						.id = htonl(id)};
	mnl_attr_put(h, NFQA_VERDICT_HDR, sizeof(verdict), &verdict);
}

static void end_batch(struct nfqueue *q, struct lane *lane)
{
	if (!lane->has_batch)
		return;
	lane->has_batch = false;
	lane->unanswered -= lane->in_batch;
	lane->in_batch = 0;
	struct nlmsghdr *h = begin_message(q, lane, NFQNL_MSG_VERDICT_BATCH);
	put_verdict(h, lane->batch_id, true);
	end_message(q, h);
}

static void end_batches(struct nfqueue *q)
{
	for (unsigned i = 0; i < N_LANES; i++)
		end_batch(q, &q->lanes[i]);
}

static void send_verdicts(struct nfqueue *q)
{
	end_batches(q);
	if (q->n_send == 0)
		return;
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t n;
	do
		n = sendto(q->fd, q->send, q->n_send, 0, (struct sockaddr *)&kernel,
			   sizeof(kernel));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		counter_inc(q->counters, COUNTER_SEND_ERRORS);
	q->n_send = 0;
}

/* The kernel takes the destination from here, not from the packet. */
static bool send_own_packet(const struct nfqueue *q, const uint8_t *packet, size_t n)
{
	struct sockaddr_in to4 = {.sin_family = AF_INET};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
	bool v4 = packet[0] >> 4 == 4;
	if (v4)
		memcpy(&to4.sin_addr, packet + 16, 4);
	else
		memcpy(&to6.sin6_addr, packet + 24, 16);
	const struct sockaddr *address =
		v4 ? (const struct sockaddr *)&to4 : (const struct sockaddr *)&to6;
	return sendto(v4 ? q->raw4 : q->raw6, packet, n, MSG_DONTWAIT, address,
		      v4 ? sizeof(to4) : sizeof(to6)) == (ssize_t)n;
}

static void send_own(struct nfqueue *q)
{
	uint16_t n;
	for (size_t at = 0; at < q->n_own; at += sizeof(n) + n) {
		memcpy(&n, q->own + at, sizeof(n));
		if (!send_own_packet(q, q->own + at + sizeof(n), n))
			counter_inc(q->counters, COUNTER_INJECT_ERRORS);
	}
	q->n_own = 0;
}

/* In the order in which they were said: a reset must not overtake the bytes that it counts. */
void nfqueue_flush(struct nfqueue *q)
{
	send_verdicts(q);
	send_own(q);
}

/* A plain acceptance joins the batch when every packet read before it from its queue is answered or
 * in the batch too. */
static bool join_batch(struct lane *lane, const struct capture_verdict *v)
{
	bool plain = v->accept && !v->set_mark && !v->data;
	if (!plain || lane->unanswered != lane->in_batch + 1)
		return false;
	lane->has_batch = true;
	lane->batch_id = (uint32_t)v->id;
	lane->in_batch++;
	return true;
}

static void give_verdict(void *ctx, const struct capture_verdict *v)
{
	struct nfqueue *q = ctx;
	struct lane *lane = &q->lanes[v->id >> 32];
	if (join_batch(lane, v))
		return;
	/* What is in a batch is answered by the message that goes first. */
	end_batches(q);
	struct nlmsghdr *h = begin_message(q, lane, NFQNL_MSG_VERDICT);
	put_verdict(h, (uint32_t)v->id, v->accept);
	if (v->set_mark)
		mnl_attr_put_u32(h, NFQA_MARK, htonl(v->mark));
	if (v->data)
		mnl_attr_put(h, NFQA_PAYLOAD, v->n, v->data);
	end_message(q, h);
	lane->unanswered--;
	/* Verdicts leave between turns, so that an engine which dies in the middle of one has
	 * answered nothing of it. Only a crowd that is released at once may not fit. */
	if (q->n_send > SEND_BYTES)
		nfqueue_flush(q);
}

static bool inject(void *ctx, struct bytes packet)
{
	struct nfqueue *q = ctx;
	uint16_t n = (uint16_t)packet.n;
	if (q->n_own + sizeof(n) + packet.n > OWN_BYTES)
		nfqueue_flush(q);
	if (packet.n > OWN_BYTES - sizeof(n))
		return false;
	memcpy(q->own + q->n_own, &n, sizeof(n));
	memcpy(q->own + q->n_own + sizeof(n), packet.p, packet.n);
	q->n_own += sizeof(n) + packet.n;
	return true;
}

struct capture_out nfqueue_out(struct nfqueue *q)
{
	return (struct capture_out){.verdict = give_verdict, .inject = inject, .ctx = q};
}

unsigned nfqueue_unanswered(const struct nfqueue *q)
{
	return q->lanes[LANE_KNOWN].unanswered + q->lanes[LANE_FRESH].unanswered;
}

static void read_skb_info(const struct nlattr *attr, struct capture_packet *p)
{
	uint32_t info = ntohl(mnl_attr_get_u32(attr));
	p->checksum_unfinished = info & NFQA_SKB_CSUMNOTREADY;
	p->is_bundle = info & NFQA_SKB_GSO;
	p->checksum_verified = !(info & NFQA_SKB_CSUM_NOTVERIFIED);
}

static bool parse_packet(const struct nlmsghdr *h, struct capture_packet *p)
{
	bool has_id = false;
	*p = (struct capture_packet){.checksum_verified = true};
	const struct nlattr *attr;
	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg))
	{
		const void *value = mnl_attr_get_payload(attr);
		size_t n = mnl_attr_get_payload_len(attr);
		switch (mnl_attr_get_type(attr)) {
		case NFQA_PACKET_HDR:
			if (n < sizeof(struct nfqnl_msg_packet_hdr))
				return false;
			p->id = ntohl(((const struct nfqnl_msg_packet_hdr *)value)->packet_id);
			has_id = true;
			break;
		case NFQA_PAYLOAD:
			p->data = (uint8_t *)(uintptr_t)value; /* our own read buffer */
			p->n = (uint32_t)n;
			break;
		case NFQA_MARK:
			p->mark = ntohl(mnl_attr_get_u32(attr));
			break;
		case NFQA_SKB_INFO:
			read_skb_info(attr, p);
			break;
		case NFQA_CAP_LEN:
			p->is_cut = true;
			break;
		case NFQA_HWADDR:
			if (n >= sizeof(struct nfqnl_msg_packet_hw) &&
			    ((const struct nfqnl_msg_packet_hw *)value)->hw_addrlen == htons(6)) {
				memcpy(p->mac, ((const struct nfqnl_msg_packet_hw *)value)->hw_addr,
				       6);
				p->has_mac = true;
			}
			break;
		default:
			break; /* nothing that we ask for */
		}
	}
	return has_id;
}

/* Packets that a former engine read and never answered have ids below the first that we read: drop
 * them, their senders will send again. */
static void drop_predecessors(struct nfqueue *q, struct lane *lane, uint32_t first_id)
{
	lane->has_read = true;
	if (first_id <= 1)
		return;
	struct nlmsghdr *h = begin_message(q, lane, NFQNL_MSG_VERDICT_BATCH);
	put_verdict(h, first_id - 1, false);
	end_message(q, h);
	counter_inc(q->counters, COUNTER_STALE_IDS);
}

/* Which of our queues a message is of. */
static enum lane_number lane_of(const struct nfqueue *q, const struct nlmsghdr *h)
{
	const struct nfgenmsg *of = mnl_nlmsg_get_payload(h);
	return ntohs(of->res_id) == q->lanes[LANE_FRESH].number ? LANE_FRESH : LANE_KNOWN;
}

/* ---- floods of first packets ---- */

static void set_fresh_length(struct nfqueue *q, uint32_t length)
{
	struct nlmsghdr *h = begin_message(q, &q->lanes[LANE_FRESH], NFQNL_MSG_CONFIG);
	nfq_nlmsg_cfg_put_qmaxlen(h, length);
	end_message(q, h);
}

void nfqueue_tend(struct nfqueue *q, uint64_t now_ns)
{
	bool was_flooded = q->flood_ends_ns > now_ns;
	bool is_crowded = q->n_crowded >= (was_flooded ? 1 : FLOOD_READS);
	if (is_crowded && !was_flooded)
		counter_inc(q->counters, COUNTER_FLOODS);
	if (is_crowded)
		q->flood_ends_ns = now_ns + FLOOD_NS;
	bool is_flooded = was_flooded || is_crowded;
	if (is_flooded != q->is_short)
		set_fresh_length(q, is_flooded ? FRESH_IN_FLOOD : q->fresh_length);
	q->is_short = is_flooded;
}

static void note_crowd(struct nfqueue *q, unsigned n, unsigned n_fresh)
{
	bool is_crowded = n == READ_BATCH && n_fresh >= READ_BATCH / 4;
	q->n_crowded = is_crowded ? q->n_crowded + 1 : 0;
}

/* ---- reading ---- */

static bool read_message(struct nfqueue *q, const struct nlmsghdr *h,
			 void (*packet)(void *, struct capture_packet *), void *ctx)
{
	struct capture_packet p;
	if (NFNL_MSG_TYPE(h->nlmsg_type) != NFQNL_MSG_PACKET ||
	    NFNL_SUBSYS_ID(h->nlmsg_type) != NFNL_SUBSYS_QUEUE) {
		/* An error about a verdict: the packet was gone already (its device, its queue). */
		counter_inc(q->counters, COUNTER_SEND_ERRORS);
		return false;
	}
	if (!parse_packet(h, &p)) {
		counter_inc(q->counters, COUNTER_RECV_ERRORS);
		return false;
	}
	enum lane_number number = lane_of(q, h);
	struct lane *lane = &q->lanes[number];
	if (!lane->has_read)
		drop_predecessors(q, lane, (uint32_t)p.id);
	if (q->n_send > SEND_BYTES / 2)
		nfqueue_flush(q);
	p.id |= (uint64_t)number << 32;
	lane->unanswered++;
	lane->n_read++;
	packet(ctx, &p);
	return true;
}

static int receive(struct nfqueue *q, struct mmsghdr *messages, struct iovec *vectors)
{
	for (int i = 0; i < READ_BATCH; i++) {
		vectors[i] = (struct iovec){q->read + (size_t)i * READ_BYTES, READ_BYTES};
		messages[i] =
			(struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1}};
	}
	/* One call waits and reads: a poll before each would cost as much as the packet. */
	int n = recvmmsg(q->fd, messages, READ_BATCH, MSG_WAITFORONE, NULL);
	if (n >= 0)
		return n;
	if (errno == ENOBUFS)
		counter_inc(q->counters, COUNTER_ENOBUFS);
	else if (errno != EAGAIN && errno != EINTR)
		counter_inc(q->counters, COUNTER_RECV_ERRORS);
	return 0;
}

unsigned nfqueue_read(struct nfqueue *q, void (*packet)(void *ctx, struct capture_packet *p),
		      void *ctx)
{
	struct mmsghdr messages[READ_BATCH];
	struct iovec vectors[READ_BATCH];
	unsigned n_packets = 0;
	uint32_t fresh_before = q->lanes[LANE_FRESH].n_read;
	int n = receive(q, messages, vectors);
	for (int i = 0; i < n; i++) {
		int left = (int)messages[i].msg_len;
		const struct nlmsghdr *h = vectors[i].iov_base;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			n_packets += read_message(q, h, packet, ctx);
	}
	nfqueue_flush(q);
	note_crowd(q, n_packets, q->lanes[LANE_FRESH].n_read - fresh_before);
	return n_packets;
}
