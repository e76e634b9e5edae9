/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel of this machine as the receiver: a network namespace of our own, a TUN device in it,
 * and real sockets.
 *
 *	packets that were let through --write--> TUN --> kernel's TCP --> socket --recv--> compared
 *	                                <--read--
 *
 * A write to the device runs the kernel's receive path to its end before it returns, so whatever
 * the kernel answers at once can be read right behind it: nothing here sleeps. Each connection has
 * ends that no other had, and is ended by a reset (SO_LINGER 0), so nothing is left of it.
 */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	STREAM_MAX = 1 << 16,
	PORT_FIRST = 9000,     /* listeners: one port for each size of buffer */
	STRANGER_PORT = 10000, /* below those that the kernel chooses for itself */
	STRANGER_PORTS = 20000,
	DRAIN_MAX = 64,
	BACKLOG = 65536,
	IP_ARGUMENTS_MAX = 6,
};

/* What SO_RCVBUF is asked for; the kernel doubles it, and 2304 is its least. */
static const int buffers[PROGRAM_ROOMS] = {0, 1, 2500, 6000, 20000};

struct kernel {
	struct peer peer;
	int tun;
	int listeners[2][PROGRAM_ROOMS]; /* IPv4, IPv6 */
	int fd;				 /* the connection, -1: none yet */
	const struct program *p;
	struct wire_path path;
	unsigned side;
	uint32_t n_connections;
	bool has_end, was_reset;
	uint32_t n;
	uint8_t bytes[STREAM_MAX];
	uint8_t packet[1 << 16];
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* ---- making the place ---- */

static int run_ip(const char *const *arguments)
{
	char *argv[IP_ARGUMENTS_MAX + 2] = {strdup("ip")};
	pid_t pid;
	int status, rc = -EIO;
	for (size_t i = 0; i < IP_ARGUMENTS_MAX && arguments[i]; i++)
		argv[i + 1] = strdup(arguments[i]);
	if (posix_spawnp(&pid, "ip", NULL, NULL, argv, environ) == 0 &&
	    waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		rc = 0;
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
	return rc;
}

static void write_setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;				/* a kernel without it does not do it either */
	(void)!write(fd, value, strlen(value)); /* only spares packets that nobody asked for */
	(void)close(fd);
}

static int open_tun(void)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "bw0"};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) < 0) {
		(void)close(fd); /* nothing was written */
		fd = -1;
	}
	return fd;
}

static int make_place(struct kernel *k)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	k->tun = open_tun();
	if (k->tun < 0)
		return -errno;
	write_setting("/proc/sys/net/ipv6/conf/bw0/accept_dad", "0");
	write_setting("/proc/sys/net/ipv6/conf/bw0/router_solicitations", "0");
	write_setting("/proc/sys/net/ipv4/tcp_challenge_ack_limit", "2147483647");
	write_setting("/proc/sys/net/ipv4/tcp_invalid_ratelimit", "0");
	/* Programs leave half-open connections behind. */
	write_setting("/proc/sys/net/ipv4/tcp_syncookies", "0");
	write_setting("/proc/sys/net/ipv4/tcp_max_syn_backlog", "65536");
	write_setting("/proc/sys/net/ipv4/tcp_synack_retries", "0");
	write_setting("/proc/sys/net/core/somaxconn", "65536");
	static const char *const commands[][IP_ARGUMENTS_MAX + 1] = {
		{"link", "set", "lo", "up"},
		{"link", "set", "bw0", "up"},
		{"addr", "add", "198.18.0.1/16", "dev", "bw0"},
		{"addr", "add", "fd00:18::1/64", "dev", "bw0", "nodad"},
	};
	bool ok = true;
	for (size_t i = 0; ok && i < sizeof(commands) / sizeof(commands[0]); i++)
		ok = run_ip(commands[i]) == 0;
	return ok ? 0 : -EIO;
}

/* ---- addresses ---- */

static union address address_of(const struct wire_path *path, unsigned side, socklen_t *n)
{
	union address a = {0};
	if (path->is_v6) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(path->port[side]);
		memcpy(&a.v6.sin6_addr, path->addr[side], 16);
		*n = sizeof(a.v6);
	} else {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(path->port[side]);
		memcpy(&a.v4.sin_addr, path->addr[side], 4);
		*n = sizeof(a.v4);
	}
	return a;
}

/* Host 0 is the kernel's own. */
static void put_address(struct wire_path *path, unsigned side, uint32_t host)
{
	static const uint8_t v4[4] = {198, 18, 0, 1}, v6[16] = {0xfd, 0, 0, 0x18, [15] = 1};
	uint8_t *out = path->addr[side];
	memcpy(out, path->is_v6 ? v6 : v4, path->is_v6 ? 16 : 4);
	if (host) {
		out[path->is_v6 ? 14 : 2] = (uint8_t)(1 + host / 250 % 250);
		out[path->is_v6 ? 15 : 3] = (uint8_t)(1 + host % 250);
	}
}

static int open_socket(bool is_v6, unsigned room)
{
	int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && room)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffers[room],
				 sizeof(int)); /* refused: a roomy one is tested */
	return fd;
}

static int open_listener(bool is_v6, unsigned room)
{
	struct wire_path path = {.is_v6 = is_v6};
	socklen_t n;
	int fd = open_socket(is_v6, room);
	put_address(&path, 1, 0);
	path.port[1] = (uint16_t)(PORT_FIRST + room);
	union address a = address_of(&path, 1, &n);
	if (fd < 0 || bind(fd, &a.any, n) < 0 || listen(fd, BACKLOG) < 0)
		return -1;
	return fd;
}

static int open_listeners(struct kernel *k)
{
	for (int family = 0; family < 2; family++) {
		for (unsigned room = 0; room < PROGRAM_ROOMS; room++) {
			k->listeners[family][room] = open_listener(family, room);
			if (k->listeners[family][room] < 0)
				return -errno;
		}
	}
	return 0;
}

/* ---- a connection ---- */

static void ask(struct kernel *k)
{
	socklen_t n;
	k->fd = open_socket(k->p->is_v6, k->p->room);
	union address a = address_of(&k->path, 1, &n);
	if (k->fd >= 0)
		(void)connect(k->fd, &a.any, n); /* in progress; a failure shows as no SYN */
}

static void kernel_begin(struct peer *peer, const struct program *p, struct wire_path *path)
{
	struct kernel *k = (struct kernel *)(void *)peer;
	uint32_t number = k->n_connections++;
	k->p = p;
	k->side = !p->sender_is_server;
	k->fd = -1;
	k->has_end = k->was_reset = false;
	k->n = 0;
	*path = (struct wire_path){.is_v6 = p->is_v6};
	put_address(path, k->side, 0);
	put_address(path, !k->side, 1 + number / STRANGER_PORTS);
	path->port[!k->side] = (uint16_t)(STRANGER_PORT + number % STRANGER_PORTS);
	path->port[k->side] = k->side ? (uint16_t)(PORT_FIRST + p->room) : 0;
	k->path = *path;
	if (k->side == 0)
		ask(k);
}

static void kernel_take(struct peer *peer, struct bytes packet)
{
	const struct kernel *k = (struct kernel *)(void *)peer;
	(void)!write(k->tun, packet.p, packet.n); /* refused: lost on the way, as any packet may */
}

/* Of this connection, not of one before it? */
static bool is_ours(const struct kernel *k, size_t n)
{
	const uint8_t *at = k->packet;
	size_t l4 = k->path.is_v6 ? 40 : 20;
	if (n < l4 + 20 || at[0] >> 4 != (k->path.is_v6 ? 6 : 4) || at[k->path.is_v6 ? 6 : 9] != 6)
		return false;
	uint16_t to = (uint16_t)(at[l4 + 2] << 8 | at[l4 + 3]);
	return to == k->path.port[!k->side] &&
	       memcmp(at + (k->path.is_v6 ? 24 : 16), k->path.addr[!k->side],
		      k->path.is_v6 ? 16 : 4) == 0;
}

static bool kernel_emit(struct peer *peer, struct wire_path *path, struct bytes *packet)
{
	struct kernel *k = (struct kernel *)(void *)peer;
	for (;;) {
		ssize_t n = read(k->tun, k->packet, sizeof(k->packet));
		if (n <= 0)
			return false;
		if (!is_ours(k, (size_t)n) || n > WIRE_PACKET_MAX)
			continue;
		size_t l4 = k->path.is_v6 ? 40 : 20;
		if (path->port[k->side] == 0)
			path->port[k->side] = (uint16_t)(k->packet[l4] << 8 | k->packet[l4 + 1]);
		*packet = bytes_of(k->packet, (size_t)n);
		return true;
	}
}

/* A program may have opened a connection after its own, which waits here for the next. */
static bool is_from_sender(const struct kernel *k, const union address *from)
{
	socklen_t n;
	union address sender = address_of(&k->path, !k->side, &n);
	if (k->path.is_v6)
		return from->v6.sin6_port == sender.v6.sin6_port;
	return from->v4.sin_port == sender.v4.sin_port;
}

static void accept_connection(struct kernel *k)
{
	while (k->fd < 0 && k->side == 1) {
		union address from = {0};
		socklen_t n = sizeof(from);
		int fd = accept4(k->listeners[k->path.is_v6][k->p->room], &from.any, &n,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (is_from_sender(k, &from))
			k->fd = fd;
		else
			(void)close(fd); /* of a program before this one */
	}
}

static void kernel_read(struct peer *peer)
{
	struct kernel *k = (struct kernel *)(void *)peer;
	accept_connection(k);
	while (k->fd >= 0 && !k->has_end && !k->was_reset && k->n < STREAM_MAX) {
		ssize_t n = recv(k->fd, k->bytes + k->n, STREAM_MAX - k->n, MSG_DONTWAIT);
		if (n < 0) {
			k->was_reset = errno != EAGAIN;
			return;
		}
		k->has_end = n == 0;
		k->n += (uint32_t)n;
	}
}

static unsigned kernel_received(struct peer *peer, struct received out[PEER_READINGS_MAX])
{
	struct kernel *k = (struct kernel *)(void *)peer;
	kernel_read(peer);
	out[0] = (struct received){"kernel", k->bytes, k->n, k->has_end};
	return 1;
}

static void kernel_end(struct peer *peer)
{
	static const struct linger by_reset = {.l_onoff = 1};
	struct kernel *k = (struct kernel *)(void *)peer;
	accept_connection(k);
	if (k->fd >= 0) {
		(void)setsockopt(k->fd, SOL_SOCKET, SO_LINGER, &by_reset,
				 sizeof(by_reset)); /* else it ends a little later */
		(void)close(k->fd);		    /* all that matters was read */
	}
	for (int i = 0; i < DRAIN_MAX && read(k->tun, k->packet, sizeof(k->packet)) > 0; i++)
		;
}

struct peer *kernel_new(void)
{
	struct kernel *k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->peer = (struct peer){
		.begin = kernel_begin,
		.take = kernel_take,
		.emit = kernel_emit,
		.read = kernel_read,
		.settle = kernel_read,
		.received = kernel_received,
		.end = kernel_end,
	};
	int rc = make_place(k);
	if (rc == 0)
		rc = open_listeners(k);
	if (rc == 0)
		return &k->peer;
	free(k);
	errno = -rc;
	return NULL;
}
