/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fastest thing an NFQUEUE program can do: read packets and accept them all. Whoever inspects
 * is compared with this, so it takes every liberty that an inspector can take too: whole packets in
 * GSO form, 32 of them in one system call, one verdict for all that a call returned, a thread for
 * each queue, no lock.
 *
 *	acceptall FIRST_QUEUE N_QUEUES
 *
 * Says "ready" on standard output once every queue is bound, and runs until a signal ends it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>

enum {
	BATCH = 32,
	PACKET_MAX = 0xffff + 4096, /* a GSO packet and its netlink attributes */
	RECEIVE_BUFFER = 64 << 20,
	QUEUE_LENGTH = 16384,
	QUEUES_MAX = 16,
};

struct reader {
	struct mnl_socket *socket;
	uint16_t queue;
	pthread_t thread;
	struct mmsghdr messages[BATCH];
	struct iovec slots[BATCH];
	char *memory; /* BATCH slots of PACKET_MAX bytes */
};

static int send_config(const struct reader *r, struct nlmsghdr *nlh)
{
	return mnl_socket_sendto(r->socket, nlh, nlh->nlmsg_len) < 0 ? -errno : 0;
}

static int bind_queue(const struct reader *r)
{
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *nlh = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, r->queue);

	nfq_nlmsg_cfg_put_cmd(nlh, AF_INET, NFQNL_CFG_CMD_BIND);
	return send_config(r, nlh);
}

static int configure_queue(const struct reader *r)
{
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *nlh = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, r->queue);

	nfq_nlmsg_cfg_put_params(nlh, NFQNL_COPY_PACKET, 0xffff);
	nfq_nlmsg_cfg_put_qmaxlen(nlh, QUEUE_LENGTH);
	mnl_attr_put_u32(nlh, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
	mnl_attr_put_u32(nlh, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO));
	nlh->nlmsg_flags |= NLM_F_ACK;
	return send_config(r, nlh);
}

/* The acknowledgement of configure_queue(), and with it any error of bind_queue() (another owner:
 * -EBUSY or -EPERM). */
static int await_ack(const struct reader *r)
{
	char buf[8192];
	ssize_t n = mnl_socket_recvfrom(r->socket, buf, sizeof(buf));

	if (n < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)n, 0, mnl_socket_get_portid(r->socket), NULL, NULL) < 0
		       ? -errno
		       : 0;
}

static int set_buffers(const struct reader *r)
{
	int one = 1, size = RECEIVE_BUFFER;
	int fd = mnl_socket_get_fd(r->socket);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		return -errno;
	return mnl_socket_setsockopt(r->socket, NETLINK_NO_ENOBUFS, &one, sizeof(one)) < 0 ? -errno
											   : 0;
}

static int make_slots(struct reader *r)
{
	r->memory = calloc(BATCH, PACKET_MAX);
	if (!r->memory)
		return -ENOMEM;
	for (size_t i = 0; i < BATCH; i++) {
		r->slots[i] = (struct iovec){r->memory + i * PACKET_MAX, PACKET_MAX};
		r->messages[i].msg_hdr.msg_iov = &r->slots[i];
		r->messages[i].msg_hdr.msg_iovlen = 1;
	}
	return 0;
}

static int reader_open(struct reader *r)
{
	int err;

	r->socket = mnl_socket_open(NETLINK_NETFILTER);
	if (!r->socket || mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	err = set_buffers(r);
	if (!err)
		err = bind_queue(r);
	if (!err)
		err = configure_queue(r);
	if (!err)
		err = await_ack(r);
	return err ? err : make_slots(r);
}

/* The id of the packet in this message; false when the message is no packet. */
static bool packet_id(const struct nlmsghdr *nlh, uint32_t *id)
{
	const struct nlattr *attr;

	if (nlh->nlmsg_type != ((NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_PACKET))
		return false;
	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFQA_PACKET_HDR) {
			const struct nfqnl_msg_packet_hdr *head = mnl_attr_get_payload(attr);
			*id = ntohl(head->packet_id);
			return true;
		}
	}
	return false;
}

/* Accepts everything up to and including the id: ids of one queue only grow, and arrive in order.
 */
static void accept_up_to(const struct reader *r, uint32_t id)
{
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *nlh = nfq_nlmsg_put(buf, NFQNL_MSG_VERDICT_BATCH, r->queue);

	nfq_nlmsg_verdict_put(nlh, (int)id, NF_ACCEPT);
	if (mnl_socket_sendto(r->socket, nlh, nlh->nlmsg_len) < 0)
		perror("verdict");
}

static void *reader_run(void *arg)
{
	struct reader *r = arg;
	int fd = mnl_socket_get_fd(r->socket);

	for (;;) {
		uint32_t id = 0;
		bool any = false;
		int n = recvmmsg(fd, r->messages, BATCH, MSG_WAITFORONE, NULL);

		for (int i = 0; i < n; i++) {
			const struct nlmsghdr *nlh = r->slots[i].iov_base;
			if (mnl_nlmsg_ok(nlh, (int)r->messages[i].msg_len))
				any |= packet_id(nlh, &id);
		}
		if (any)
			accept_up_to(r, id);
		if (n < 0 && errno != EINTR && errno != ENOBUFS) {
			perror("recvmmsg");
			exit(EXIT_FAILURE);
		}
	}
	return NULL;
}

static bool number_in(const char *text, long min, long max, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	return !errno && end != text && !*end && *out >= min && *out <= max;
}

static int start(struct reader *readers, long first, long n)
{
	for (long i = 0; i < n; i++) {
		struct reader *r = &readers[i];
		r->queue = (uint16_t)(first + i);
		int err = reader_open(r);
		if (err) {
			fprintf(stderr, "queue %u: %s\n", r->queue, strerror(-err));
			return err;
		}
	}
	for (long i = 0; i < n; i++) {
		int err = pthread_create(&readers[i].thread, NULL, reader_run, &readers[i]);
		if (err)
			return -err;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct reader readers[QUEUES_MAX];
	long first, n;

	if (argc != 3 || !number_in(argv[1], 0, 65535 - QUEUES_MAX, &first) ||
	    !number_in(argv[2], 1, QUEUES_MAX, &n)) {
		fprintf(stderr, "usage: acceptall FIRST_QUEUE N_QUEUES (at most %d)\n", QUEUES_MAX);
		return 64;
	}
	if (start(readers, first, n))
		return EXIT_FAILURE;
	puts("ready");
	fflush(stdout);
	for (long i = 0; i < n; i++)
		pthread_join(readers[i].thread, NULL);
	return 0;
}
