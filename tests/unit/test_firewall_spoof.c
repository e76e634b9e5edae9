/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forged frames against the real kernel: whoever may send raw frames on a managed bridge speaks for
 * itself only. In network namespaces that this test makes; needs root and nft, else it is skipped.
 *
 *      attacker --- p1 ---.
 *      victim ----- p2 --- br0 --- host       receiver --- p3 --- br0
 *      newcomer --- p4 ---'   p4: nobody knows whose it is;  p5: newer than the table
 *      other ------ p9 --- br9: not managed
 *
 * Frames carry a magic text inside of what every checker keeps. They are counted by packet sockets
 * where they arrive, never promiscuous. That each kind would arrive without our tables is shown
 * first, so that no test passes because its frames were bad.
 */
#include "bridgewarden/shared.h"
#include "base/text.h"
#include "firewall/bridge.h"
#include "firewall/firewall.h"
#include "firewall/links.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ATTACKER, VICTIM, RECEIVER, NEWCOMER, LATE, OTHER, N_MEMBERS };
enum { MASK = 0xff00, EPOCH = 5, MAGIC_SIZE = 8 };

static const char forged[] = "FORGED!!", honest[] = "HONEST!!";

static struct member {
	const char *port, *bridge;
	const char *ip4, *ip6;
	uint8_t mac[6];
	int ns, raw; /* raw: a packet socket on its eth0, for sending and counting */
	pid_t pid;
} members[N_MEMBERS] = {
	[ATTACKER] = {"p1", "br0", "198.18.5.11", "fd00:5::11", {2, 0, 0, 0, 5, 11}},
	[VICTIM] = {"p2", "br0", "198.18.5.12", "fd00:5::12", {2, 0, 0, 0, 5, 12}},
	[RECEIVER] = {"p3", "br0", "198.18.5.13", "fd00:5::13", {2, 0, 0, 0, 5, 13}},
	[NEWCOMER] = {"p4", "br0", "198.18.5.14", "fd00:5::14", {2, 0, 0, 0, 5, 14}},
	[LATE] = {"p5", "br0", "198.18.5.15", "fd00:5::15", {2, 0, 0, 0, 5, 15}},
	[OTHER] = {"p9", "br9", "198.18.9.12", "fd00:9::12", {2, 0, 0, 0, 9, 12}},
};
static const uint8_t host_macs[1][6] = {{2, 0, 0, 0, 5, 1}};
#define gateway_mac (host_macs[0])
static int host_ns = -1, host_raw = -1;
static char state_path[64];
static struct firewall *fw;

/* ---- the world ---- */

static int sh(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int sh(const char *format, ...)
{
	char command[1024];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	ck_assert_int_lt(n, (int)sizeof(command));
	return system(command); /* NOLINT(cert-env33-c): constants of this test */
}

#define must(...) ck_assert_msg(sh(__VA_ARGS__) == 0, __VA_ARGS__)

/* A process in a namespace of its own, which ends with us. */
static pid_t start_member(void)
{
	int ready[2];
	char one = 0;
	ck_assert_int_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		one = unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
		(void)!write(ready[1], &one, 1);
		for (;;)
			(void)pause();
	}
	ck_assert(read(ready[0], &one, 1) == 1 && one == 'y');
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

static int packet_socket(int ns, const char *interface)
{
	int size = 8 << 20;
	ck_assert_int_eq(setns(ns, CLONE_NEWNET), 0);
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(interface)};
	ck_assert(fd >= 0 && at.sll_ifindex > 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	ck_assert_int_eq(setns(host_ns, CLONE_NEWNET), 0);
	return fd;
}

static void make_member(struct member *m)
{
	const uint8_t *a = m->mac;
	char path[64];
	m->pid = start_member();
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)m->pid);
	m->ns = open(path, O_RDONLY | O_CLOEXEC);
	must("printf 'link add %s type veth peer name eth0 address %02x:%02x:%02x:%02x:%02x:%02x "
	     "netns %d\\nlink set %s master %s up\\n' | ip -batch -",
	     m->port, a[0], a[1], a[2], a[3], a[4], a[5], (int)m->pid, m->port, m->bridge);
	must("printf 'link set lo up\\nlink set eth0 up\\naddr add %s/24 dev eth0\\n"
	     "addr add %s/64 dev eth0 nodad\\n' | nsenter --net=%s ip -batch -",
	     m->ip4, m->ip6, path);
	m->raw = packet_socket(m->ns, "eth0");
}

static void make_world(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	host_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	must("printf 'link set lo up\\nlink add br0 type bridge mcast_snooping 0\\n"
	     "link add br9 type bridge mcast_snooping 0\\nlink set br0 address 02:00:00:00:05:01 "
	     "up\\n"
	     "link set br9 up\\naddr add 198.18.5.1/24 dev br0\\naddr add 198.18.9.1/24 dev br9\\n"
	     "addr add fd00:5::1/64 dev br0 nodad\\naddr add fd00:9::1/64 dev br9 nodad\\n' "
	     "| ip -batch -");
	must("cd /proc/sys/net && echo 0 >bridge/bridge-nf-call-iptables && "
	     "echo 0 >bridge/bridge-nf-call-ip6tables");
	for (size_t i = 0; i < N_MEMBERS; i++)
		if (i != LATE)
			make_member(&members[i]);
	host_raw = packet_socket(host_ns, "br0");
}

static void set_up(void)
{
	struct error err;
	(void)snprintf(state_path, sizeof(state_path), "/tmp/bw-spoof-%d.state", (int)getpid());
	make_world();
	ck_assert_msg(firewall_new(state_path, &fw, &err) == 0, "%s", err.text);
}

static void tear_down(void)
{
	firewall_free(fw);
	fw = NULL;
	(void)unlink(state_path);
}

/* ---- the tables ---- */

static struct ip_addr addr_of(const char *text)
{
	struct ip_addr a;
	ck_assert(ip_addr_parse(text, &a));
	return a;
}

static struct identity_prefix prefix_of(const char *text)
{
	struct identity_prefix p;
	ck_assert(ip_prefix_parse(text, &p.addr, &p.length));
	return p;
}

/* The rules of iptables, open where no engine listens, and the tables of ports. */
static void apply_rules(bool is_enforced)
{
	static char names[1][IFNAMSIZ] = {"br0"};
	static struct firewall_source sources[2];
	struct error err;
	sources[0].prefix = prefix_of("198.18.5.0/24");
	sources[1].prefix = prefix_of("fd00:5::/64");
	struct firewall_plan plan = {
		.interfaces = names,
		.n_interfaces = 1,
		.sources = sources,
		.n_sources = 2,
		.is_enforced = is_enforced,
		.queue_base = 700,
		.n_queues = 1,
		.fail_open = {true, true, true},
		.mark_mask = MASK,
		.epoch = EPOCH,
	};
	ck_assert_msg(firewall_apply(fw, &plan, &err) == 0, "%s", err.text);
}

static size_t n_nested; /* of the prefix below */

static void bind_members(const size_t *which, size_t n, bool are_macs_known)
{
	static struct identity_prefix subnets[2];
	static struct ports_port ports[4];
	struct ports_owner owners[2 * N_MEMBERS] = {{0}};
	struct error err;
	subnets[0] = prefix_of("198.18.5.0/24");
	subnets[1] = prefix_of("fd00:5::/64");
	const struct identity_prefix nested = prefix_of("198.19.0.0/16");
	const struct ports_bridge bridge = {
		.subnets = subnets, .n_subnets = 2, .nested = &nested, .n_nested = n_nested};
	const struct ip_addr host[] = {addr_of("198.18.5.1"), addr_of("fd00:5::1")};
	static const char others[1][IFNAMSIZ] = {"p9"};
	for (size_t i = 0; i < 4; i++)
		memcpy(ports[i].name, members[i].port, 3);
	for (size_t i = 0; i < n; i++) {
		owners[2 * i].port = owners[2 * i + 1].port = which[i];
		owners[2 * i].addr = addr_of(members[which[i]].ip4);
		owners[2 * i + 1].addr = addr_of(members[which[i]].ip6);
		for (size_t k = 0; k < 2 && are_macs_known; k++)
			memcpy(owners[2 * i + k].mac, members[which[i]].mac, 6);
	}
	const struct ports_plan plan = {.bridges = &bridge,
					.n_bridges = 1,
					.ports = ports,
					.n_ports = 4,
					.owners = owners,
					.n_owners = 2 * n,
					.host_addrs = host,
					.n_host_addrs = 2,
					.host_macs = host_macs,
					.n_host_macs = 1,
					.others = others,
					.n_others = 1};
	ck_assert_msg(firewall_bind_ports(fw, &plan, &err) == 0, "%s", err.text);
}

static const size_t all_known[] = {ATTACKER, VICTIM, RECEIVER};

static void bind_all(void)
{
	bind_members(all_known, 3, true);
}

/* ---- frames ---- */

struct frame {
	uint8_t b[256];
	size_t n;
};

static void put(struct frame *f, const void *bytes, size_t n)
{
	ck_assert_uint_le(f->n + n, sizeof(f->b));
	memcpy(f->b + f->n, bytes, n);
	f->n += n;
}

static void put16(struct frame *f, unsigned value)
{
	const uint8_t b[2] = {(uint8_t)(value >> 8), (uint8_t)value};
	put(f, b, 2);
}

static void put_ip(struct frame *f, const char *text)
{
	struct in6_addr at;
	bool is_v4 = inet_pton(AF_INET, text, &at) == 1;
	ck_assert(is_v4 || inet_pton(AF_INET6, text, &at) == 1);
	put(f, &at, is_v4 ? 4 : 16);
}

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static struct frame ethernet(const uint8_t *to, const uint8_t *from, unsigned type)
{
	struct frame f = {.n = 0};
	put(&f, to, 6);
	put(&f, from, 6);
	put16(&f, type);
	return f;
}

static uint16_t sum16(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* UDP whose data is the magic. */
static void put_ip4(struct frame *f, const char *from, const char *to, unsigned sport,
		    unsigned dport, const char *magic)
{
	size_t at = f->n;
	static const uint8_t head[] = {0x45, 0, 0, 28 + MAGIC_SIZE, 0, 0, 0, 0, 64, 17, 0, 0};
	put(f, head, sizeof(head));
	put_ip(f, from);
	put_ip(f, to);
	uint16_t sum = sum16(f->b + at, 20, 0);
	f->b[at + 10] = (uint8_t)(sum >> 8);
	f->b[at + 11] = (uint8_t)sum;
	put16(f, sport);
	put16(f, dport);
	put16(f, 8 + MAGIC_SIZE);
	put16(f, 0);
	put(f, magic, MAGIC_SIZE);
}

static void put_ip6(struct frame *f, const char *from, const char *to, unsigned next, size_t n)
{
	static const uint8_t version[4] = {0x60};
	put(f, version, 4);
	put16(f, (unsigned)n);
	put16(f, next << 8 | 255);
	put_ip(f, from);
	put_ip(f, to);
}

static void put_udp6(struct frame *f, const char *from, const char *to, const char *magic)
{
	put_ip6(f, from, to, 17, 8 + MAGIC_SIZE);
	put16(f, 4000);
	put16(f, 53);
	put16(f, 8 + MAGIC_SIZE);
	put16(f, 0xffff);
	put(f, magic, MAGIC_SIZE);
}

/* An ICMPv6 message: type, four bytes, perhaps a target, a link address option (0: none), and a
 * nonce option that holds the magic. */
struct nd {
	const char *from, *to, *target;
	unsigned type, option;
	const uint8_t *mac;
};

static size_t nd_size(const struct nd *nd)
{
	return 8 + (nd->target ? 16 : 0) + (nd->option ? 8 : 0) + 16;
}

static void put_message(struct frame *f, const struct nd *nd, const char *magic)
{
	static const uint8_t zeros[6];
	put16(f, nd->type << 8);
	put16(f, 0xffff);
	put(f, zeros, 4);
	if (nd->target)
		put_ip(f, nd->target);
	if (nd->option) {
		put16(f, nd->option << 8 | 1);
		put(f, nd->mac, 6);
	}
	put16(f, 14 << 8 | 2);
	put(f, zeros, 6);
	put(f, magic, MAGIC_SIZE);
}

static void put_nd(struct frame *f, const struct nd *nd, const char *magic)
{
	put_ip6(f, nd->from, nd->to, 58, nd_size(nd));
	put_message(f, nd, magic);
}

/* Behind an extension header of eight bytes: destination options (60) or a fragment header (44) of
 * a fragment that is the whole. */
static void put_hidden_nd(struct frame *f, const struct nd *nd, unsigned header, const char *magic)
{
	static const uint8_t options[8] = {58, 0, 1, 4}, fragment[8] = {58, 0, 0, 1};
	put_ip6(f, nd->from, nd->to, header, nd_size(nd) + 8);
	put(f, header == 60 ? options : fragment, 8);
	put_message(f, nd, magic);
}

static void put_arp(struct frame *f, unsigned operation, const uint8_t *mac, const char *ip,
		    const char *magic)
{
	static const uint8_t head[] = {0, 1, 8, 0, 6, 4};
	put(f, head, sizeof(head));
	put16(f, operation);
	put(f, mac, 6);
	put_ip(f, ip);
	put(f, magic, 6); /* the target's link address: nobody looks at it */
	put_ip(f, members[RECEIVER].ip4);
	put(f, magic, MAGIC_SIZE);
}

/* ---- kinds of forgery ---- */

#define ME	members[who]
#define V	members[VICTIM]
#define R	members[RECEIVER]
#define OUTSIDE "198.19.7.7"

static struct frame ip_of(const uint8_t *to, const uint8_t *mac, const char *from)
{
	struct frame f = ethernet(to, mac, ETH_P_IP);
	put_ip4(&f, from, R.ip4, 4000, 53, forged);
	return f;
}

static struct frame ip6_of(const uint8_t *mac, const char *from)
{
	struct frame f = ethernet(R.mac, mac, ETH_P_IPV6);
	put_udp6(&f, from, R.ip6, forged);
	return f;
}

static struct frame nd_of(const uint8_t *mac, const struct nd *nd)
{
	struct frame f = ethernet(R.mac, mac, ETH_P_IPV6);
	put_nd(&f, nd, forged);
	return f;
}

static struct frame arp_of(const uint8_t *mac, unsigned operation, const uint8_t *sender,
			   const char *ip)
{
	struct frame f = ethernet(broadcast, mac, ETH_P_ARP);
	put_arp(&f, operation, sender, ip, forged);
	return f;
}

static struct frame forged_ip(size_t who)
{
	return ip_of(R.mac, ME.mac, V.ip4);
}
static struct frame forged_mac(size_t who)
{
	return ip_of(R.mac, V.mac, ME.ip4);
}
static struct frame forged_both(size_t who)
{
	(void)who;
	return ip_of(R.mac, V.mac, V.ip4);
}
static struct frame forged_broadcast(size_t who)
{
	(void)who;
	return ip_of(broadcast, V.mac, V.ip4);
}
static struct frame forged_gateway(size_t who)
{
	return ip_of(R.mac, ME.mac, "198.18.5.1");
}
static struct frame forged_gateway_mac(size_t who)
{
	return ip_of(R.mac, gateway_mac, ME.ip4);
}
static struct frame forged_outside(size_t who)
{
	return ip_of(R.mac, ME.mac, OUTSIDE);
}
static struct frame forged_ip6(size_t who)
{
	return ip6_of(ME.mac, V.ip6);
}
static struct frame forged_both6(size_t who)
{
	(void)who;
	return ip6_of(V.mac, V.ip6);
}
static struct frame forged_outside6(size_t who)
{
	return ip6_of(ME.mac, "2001:db8::7");
}
static struct frame forged_link_local(size_t who)
{
	return ip6_of(ME.mac, "fe80::ff:fe00:50c");
}
static struct frame forged_arp_ip(size_t who)
{
	return arp_of(ME.mac, 2, ME.mac, V.ip4);
}
static struct frame forged_arp_request(size_t who)
{
	return arp_of(ME.mac, 1, ME.mac, V.ip4);
}
static struct frame forged_arp_mac(size_t who)
{
	return arp_of(ME.mac, 2, V.mac, ME.ip4);
}
static struct frame forged_arp_gateway(size_t who)
{
	return arp_of(ME.mac, 2, ME.mac, "198.18.5.1");
}
static struct frame forged_arp_outside(size_t who)
{
	return arp_of(ME.mac, 2, ME.mac, OUTSIDE);
}
static struct frame forged_advertisement(size_t who)
{
	const struct nd nd = {ME.ip6, R.ip6, V.ip6, 136, 2, ME.mac};
	return nd_of(ME.mac, &nd);
}
static struct frame forged_bare_advertisement(size_t who)
{
	const struct nd nd = {ME.ip6, R.ip6, "fd00:5::1", 136, 0, NULL};
	return nd_of(ME.mac, &nd);
}
static struct frame forged_advertised_mac(size_t who)
{
	const struct nd nd = {ME.ip6, R.ip6, ME.ip6, 136, 2, V.mac};
	return nd_of(ME.mac, &nd);
}
static struct frame forged_solicitation(size_t who)
{
	const struct nd nd = {V.ip6, R.ip6, R.ip6, 135, 1, ME.mac};
	return nd_of(ME.mac, &nd);
}
static struct frame forged_solicited_mac(size_t who)
{
	const struct nd nd = {ME.ip6, R.ip6, R.ip6, 135, 1, V.mac};
	return nd_of(ME.mac, &nd);
}
static struct frame forged_router(size_t who)
{
	const struct nd nd = {"fe80::1:2", "ff02::1", NULL, 134, 0, NULL};
	struct frame f = nd_of(ME.mac, &nd);
	memcpy(f.b, broadcast, 6);
	return f;
}
static struct frame forged_redirect(size_t who)
{
	const struct nd nd = {ME.ip6, R.ip6, "fd00:5::99", 137, 0, NULL};
	return nd_of(ME.mac, &nd);
}
static struct frame forged_behind_options(size_t who)
{
	const struct nd nd = {ME.ip6, R.ip6, V.ip6, 136, 2, ME.mac};
	struct frame f = ethernet(R.mac, ME.mac, ETH_P_IPV6);
	put_hidden_nd(&f, &nd, 60, forged);
	return f;
}
static struct frame forged_fragment(size_t who)
{
	const struct nd nd = {ME.ip6, R.ip6, V.ip6, 136, 2, ME.mac};
	struct frame f = ethernet(R.mac, ME.mac, ETH_P_IPV6);
	put_hidden_nd(&f, &nd, 44, forged);
	return f;
}
static struct frame tagged_with(size_t who, unsigned type)
{
	struct frame f = ethernet(broadcast, ME.mac, type);
	put16(&f, 7);
	put16(&f, ETH_P_IP);
	put_ip4(&f, ME.ip4, R.ip4, 4000, 53, forged);
	return f;
}
static struct frame tagged(size_t who)
{
	return tagged_with(who, ETH_P_8021Q);
}
static struct frame tagged_twice(size_t who)
{
	return tagged_with(who, ETH_P_8021AD);
}
static struct frame odd(size_t who)
{
	struct frame f = ethernet(R.mac, ME.mac, 0x88b5); /* for experiments: IEEE 802 */
	put(&f, forged, MAGIC_SIZE);
	return f;
}
static struct frame in_pppoe(size_t who)
{
	struct frame f = ethernet(R.mac, ME.mac, ETH_P_PPP_SES);
	static const uint8_t head[] = {0x11, 0, 0, 1, 0, 38, 0, 0x21};
	put(&f, head, sizeof(head));
	put_ip4(&f, ME.ip4, R.ip4, 4000, 53, forged);
	return f;
}
static struct frame with_length(size_t who)
{
	struct frame f = ethernet(R.mac, ME.mac, 3 + MAGIC_SIZE); /* IEEE 802.3 */
	static const uint8_t llc[] = {0xaa, 0xaa, 3};
	put(&f, llc, sizeof(llc));
	put(&f, forged, MAGIC_SIZE);
	return f;
}

struct kind {
	const char *name;
	struct frame (*make)(size_t who);
	bool is_of_bound; /* only a known container is forbidden it */
};

#define KIND(name)                                                                                 \
	{                                                                                          \
#name, name, false                                                                 \
	}
static const struct kind kinds[] = {
	KIND(forged_ip),
	KIND(forged_mac),
	KIND(forged_both),
	KIND(forged_broadcast),
	KIND(forged_gateway),
	KIND(forged_gateway_mac),
	KIND(forged_outside),
	KIND(forged_ip6),
	KIND(forged_both6),
	KIND(forged_outside6),
	KIND(forged_link_local),
	KIND(forged_arp_ip),
	KIND(forged_arp_request),
	KIND(forged_arp_mac),
	KIND(forged_arp_gateway),
	KIND(forged_arp_outside),
	KIND(forged_advertisement),
	KIND(forged_bare_advertisement),
	KIND(forged_advertised_mac),
	KIND(forged_solicitation),
	KIND(forged_solicited_mac),
	KIND(forged_router),
	KIND(forged_redirect),
	KIND(forged_behind_options),
	KIND(forged_fragment),
	KIND(tagged),
	KIND(tagged_twice),
	KIND(odd),
	KIND(in_pppoe),
	KIND(with_length),
};
enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* ---- sending and counting ---- */

static void send_frame(size_t who, const struct frame *f)
{
	ssize_t n = send(members[who].raw, f->b, f->n, 0);
	ck_assert_msg(n == (ssize_t)f->n, "send: %s", strerror(errno));
}

/* Frames with the magic that came in; what went out is seen, too, and does not count. */
static unsigned count_at(int fd, const char *magic)
{
	uint8_t buffer[2048];
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	unsigned found = 0;
	for (ssize_t n;
	     (n = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &size)) > 0;
	     size = sizeof(from))
		found += from.sll_pkttype != PACKET_OUTGOING &&
			 memmem(buffer, (size_t)n, magic, MAGIC_SIZE) != NULL;
	return found;
}

static unsigned count_arrived(const char *magic)
{
	(void)poll(NULL, 0, 3);
	return count_at(members[RECEIVER].raw, magic) + count_at(members[VICTIM].raw, magic) +
	       count_at(host_raw, magic);
}

/* In small heaps: a receive backlog that overflows would be no proof. */
static unsigned send_many(size_t who, const struct frame *f, unsigned n, const char *magic)
{
	unsigned arrived = 0;
	for (unsigned i = 0; i < n; i++) {
		send_frame(who, f);
		if (i % 128 == 127)
			arrived += count_arrived(magic);
	}
	return arrived + count_arrived(magic);
}

static void restore_neighbours(void)
{
	for (size_t i = 0; i < 4; i++) {
		struct frame f = ethernet(broadcast, members[i].mac, ETH_P_ARP);
		put_arp(&f, 2, members[i].mac, members[i].ip4, "--------");
		send_frame(i, &f);
	}
	(void)poll(NULL, 0, 5);
}

/* ---- tests ---- */

START_TEST(every_kind_would_arrive_without_us)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		restore_neighbours();
		const struct frame f = kinds[i].make(ATTACKER);
		ck_assert_msg(send_many(ATTACKER, &f, 1, forged) >= 1, "%s did not arrive",
			      kinds[i].name);
	}
}
END_TEST

enum { EACH = 350 }; /* times 30 kinds: over 10,000 */

static uint64_t dropped_by_kernel(void)
{
	struct ports_drops drops;
	uint64_t n = 0;
	firewall_read_drops(&drops);
	for (size_t i = 0; i < N_PORTS_DROPS; i++)
		n += drops.packets[i];
	return n;
}

static void assert_nothing_arrives(size_t who)
{
	uint64_t before = dropped_by_kernel(), sent = 0;
	for (size_t i = 0; i < N_KINDS; i++, sent += EACH) {
		const struct frame f = kinds[i].make(who);
		unsigned arrived = send_many(who, &f, EACH, forged);
		ck_assert_msg(arrived == 0, "%s: %u of %d arrived", kinds[i].name, arrived, EACH);
	}
	ck_assert_uint_ge(sent, 10000);
	ck_assert_uint_ge(dropped_by_kernel() - before, sent); /* by name, each */
}

START_TEST(ten_thousand_forged_frames_of_a_known_container_do_not_arrive)
{
	bind_all();
	assert_nothing_arrives(ATTACKER);
}
END_TEST

START_TEST(nor_do_those_of_one_that_is_not_known_yet)
{
	bind_all();
	assert_nothing_arrives(NEWCOMER);
}
END_TEST

/* Its bridge is not known: only what belongs to somebody, and what a frame may be at all. */
START_TEST(nor_do_those_of_a_port_newer_than_the_tables_for_what_is_owned)
{
	apply_rules(true);
	bind_all();
	make_member(&members[LATE]);
	for (size_t i = 0; i < N_KINDS; i++) {
		const struct frame f = kinds[i].make(LATE);
		bool to_all = strcmp(kinds[i].name, "forged_router") == 0 ||
			      strcmp(kinds[i].name, "forged_arp_outside") == 0 ||
			      strncmp(kinds[i].name, "tagged", 6) == 0;
		(void)poll(NULL, 0, 1);
		send_frame(LATE, &f);
		unsigned arrived = count_arrived(forged);
		/* the host hears what is for all of the bridge; the containers do not */
		ck_assert_msg(arrived == 0 || to_all, "%s arrived", kinds[i].name);
	}
}
END_TEST

static struct frame own_ip(size_t who)
{
	struct frame f = ethernet(R.mac, ME.mac, ETH_P_IP);
	put_ip4(&f, ME.ip4, R.ip4, 4000, 53, honest);
	return f;
}
static struct frame own_ip6(size_t who)
{
	struct frame f = ethernet(R.mac, ME.mac, ETH_P_IPV6);
	put_udp6(&f, ME.ip6, R.ip6, honest);
	return f;
}
static struct frame own_link_local(size_t who)
{
	char from[64];
	(void)snprintf(from, sizeof(from), "fe80::ff:fe00:5%02x", ME.mac[5]);
	struct frame f = ethernet(R.mac, ME.mac, ETH_P_IPV6);
	put_udp6(&f, from, R.ip6, honest);
	return f;
}
static struct frame own_arp(size_t who)
{
	struct frame f = ethernet(broadcast, ME.mac, ETH_P_ARP);
	put_arp(&f, 1, ME.mac, ME.ip4, honest);
	return f;
}
static struct frame arp_probe(size_t who)
{
	struct frame f = ethernet(broadcast, ME.mac, ETH_P_ARP);
	put_arp(&f, 1, ME.mac, "0.0.0.0", honest);
	return f;
}
static struct frame dhcp(size_t who)
{
	struct frame f = ethernet(broadcast, ME.mac, ETH_P_IP);
	put_ip4(&f, "0.0.0.0", "255.255.255.255", 68, 67, honest);
	return f;
}
static struct frame own_nd(size_t who, const struct nd *nd)
{
	struct frame f = ethernet(R.mac, ME.mac, ETH_P_IPV6);
	put_nd(&f, nd, honest);
	return f;
}
static struct frame own_solicitation(size_t who)
{
	const struct nd nd = {ME.ip6, R.ip6, R.ip6, 135, 1, ME.mac};
	return own_nd(who, &nd);
}
static struct frame own_advertisement(size_t who)
{
	const struct nd nd = {ME.ip6, R.ip6, ME.ip6, 136, 2, ME.mac};
	return own_nd(who, &nd);
}
static struct frame detection(size_t who)
{
	const struct nd nd = {"::", "ff02::1:ff00:11", ME.ip6, 135, 0, NULL};
	return own_nd(who, &nd);
}
static struct frame listener_report(size_t who)
{
	const struct nd nd = {"::", "ff02::16", NULL, 143, 0, NULL};
	return own_nd(who, &nd);
}

static const struct kind honest_kinds[] = {
	KIND(own_ip),		KIND(own_ip6),		 KIND(own_link_local),
	KIND(own_arp),		KIND(arp_probe),	 KIND(dhcp),
	KIND(own_solicitation), KIND(own_advertisement), KIND(detection),
	KIND(listener_report),
};

static void assert_all_arrive(size_t who)
{
	for (size_t i = 0; i < sizeof(honest_kinds) / sizeof(honest_kinds[0]); i++) {
		restore_neighbours();
		const struct frame f = honest_kinds[i].make(who);
		bool is_for_all = f.b[0] == 0xff;
		for (unsigned k = 0; k < 100; k++)
			send_frame(who, &f);
		(void)poll(NULL, 0, 5);
		unsigned at_receiver = count_at(members[RECEIVER].raw, honest);
		unsigned at_host = count_at(host_raw, honest);
		ck_assert_msg(at_receiver == 100, "%s of %zu: %u of 100 arrived",
			      honest_kinds[i].name, who, at_receiver);
		ck_assert_uint_eq(at_host, is_for_all ? 100 : 0);
		(void)count_at(members[VICTIM].raw, honest);
	}
}

START_TEST(honest_frames_all_arrive)
{
	bind_all();
	assert_all_arrive(ATTACKER);
	assert_all_arrive(VICTIM);
	assert_all_arrive(NEWCOMER);
	make_member(&members[LATE]);
	assert_all_arrive(LATE);
}
END_TEST

START_TEST(an_endpoint_whose_link_address_is_not_known_is_bound_by_its_addresses)
{
	bind_members(all_known, 3, false);
	assert_all_arrive(ATTACKER);
	static struct frame (*const by_address[])(size_t) = {
		forged_ip,     forged_both,	     forged_outside, forged_ip6,
		forged_arp_ip, forged_advertisement, tagged,
	};
	for (size_t i = 0; i < sizeof(by_address) / sizeof(by_address[0]); i++) {
		const struct frame f = by_address[i](ATTACKER);
		ck_assert_uint_eq(send_many(ATTACKER, &f, 50, forged), 0);
	}
}
END_TEST

START_TEST(what_the_policy_calls_nested_may_come_from_any_container)
{
	n_nested = 1;
	bind_all();
	static struct frame (*const others_own[])(size_t) = {forged_ip, forged_mac, forged_gateway,
							     forged_ip6, forged_outside6};
	static const size_t senders[] = {ATTACKER, NEWCOMER};
	for (size_t i = 0; i < 2; i++) {
		const struct frame nested = forged_outside(senders[i]);
		ck_assert_uint_eq(send_many(senders[i], &nested, 50, forged), 50);
		for (size_t k = 0; k < 5; k++) {
			const struct frame f = others_own[k](senders[i]);
			ck_assert_uint_eq(send_many(senders[i], &f, 50, forged), 0);
		}
	}
}
END_TEST

START_TEST(what_nobody_manages_is_left_alone)
{
	bind_all();
	int at_host = packet_socket(host_ns, "br9");
	struct frame f = tagged(VICTIM);
	memcpy(f.b + 6, members[VICTIM].mac, 6);
	for (unsigned i = 0; i < 100; i++)
		send_frame(OTHER, &f); /* with a link address that is somebody's on br0 */
	(void)poll(NULL, 0, 5);
	ck_assert_uint_eq(count_at(at_host, forged), 100);
}
END_TEST

/* Does the bridge think so? */
static bool is_victim_at(const char *port)
{
	const uint8_t *m = V.mac;
	return sh("bridge fdb show br br0 | grep -q '^%02x:%02x:%02x:%02x:%02x:%02x dev %s '", m[0],
		  m[1], m[2], m[3], m[4], m[5], port) == 0;
}

/* LLDP and its like meet no hook of the bridge, but the bridge would learn from them. */
static struct frame past_the_bridge(size_t who, unsigned group)
{
	const uint8_t to[6] = {1, 0x80, 0xc2, 0, 0, (uint8_t)group};
	struct frame f = ethernet(to, V.mac, ETH_P_IP);
	put_ip4(&f, ME.ip4, "198.18.5.1", 4000, 5353, forged);
	return f;
}

START_TEST(the_bridge_learns_nothing_from_forged_frames)
{
	struct frame lldp = past_the_bridge(ATTACKER, 0x0e);
	bool is_fooled = false; /* without us; the victim may say something in between */
	for (unsigned i = 0; i < 10 && !is_fooled; i++) {
		send_frame(ATTACKER, &lldp);
		(void)poll(NULL, 0, 5);
		is_fooled = is_victim_at("p1");
	}
	ck_assert(is_fooled);
	restore_neighbours();
	apply_rules(true);
	bind_all();
	for (unsigned group = 0; group < 16; group++) {
		lldp = past_the_bridge(ATTACKER, group);
		send_frame(ATTACKER, &lldp);
	}
	for (size_t i = 0; i < N_KINDS; i++) {
		const struct frame f = kinds[i].make(ATTACKER);
		(void)send_many(ATTACKER, &f, 4, forged);
	}
	ck_assert(is_victim_at("p2"));
}
END_TEST

START_TEST(nothing_reaches_the_host_past_the_bridge)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(5353)};
	ck_assert_int_eq(inet_pton(AF_INET, "198.18.5.1", &at.sin_addr), 1);
	int in = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(in, (const struct sockaddr *)&at, sizeof(at)), 0);
	char got[64];
	for (unsigned round = 0; round < 2; round++) {
		unsigned arrived = 0;
		/* not 0: without STP that is a group like any other, and goes over the bridge */
		for (unsigned group = 1; group < 16; group++) {
			struct frame f = past_the_bridge(ATTACKER, group);
			memcpy(f.b + 6, members[ATTACKER].mac, 6);
			send_frame(ATTACKER, &f);
		}
		(void)poll(NULL, 0, 10);
		while (recv(in, got, sizeof(got), 0) > 0)
			arrived++;
		if (round == 0) {
			ck_assert_uint_ge(arrived, 1); /* unjudged: no rule knows the port */
			bind_all();
		} else {
			ck_assert_uint_eq(arrived, 0);
		}
	}
	struct ports_drops drops;
	firewall_read_drops(&drops);
	ck_assert_uint_ge(drops.packets[PORTS_BESIDE], 1);
	(void)close(in);
}
END_TEST

/* ---- connections ---- */

static int tcp_in(int ns)
{
	ck_assert_int_eq(setns(ns, CLONE_NEWNET), 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	ck_assert_int_eq(setns(host_ns, CLONE_NEWNET), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	struct timeval wait = {.tv_sec = 2};
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

struct pipe {
	int client, server;
	uint16_t port;
};

/* From the victim to the receiver. */
static struct pipe connect_pair(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
	struct sockaddr_in from = {0};
	socklen_t n = sizeof(from);
	int listener = tcp_in(R.ns);
	struct pipe p = {.client = tcp_in(V.ns)};
	ck_assert_int_eq(inet_pton(AF_INET, R.ip4, &to.sin_addr), 1);
	ck_assert_int_eq(bind(listener, (const struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(connect(p.client, (const struct sockaddr *)&to, sizeof(to)), 0);
	p.server = accept(listener, NULL, NULL);
	ck_assert_int_eq(getsockname(p.client, (struct sockaddr *)&from, &n), 0);
	p.port = ntohs(from.sin_port);
	(void)close(listener);
	return p;
}

static void say(const struct pipe *p)
{
	char byte;
	ck_assert(send(p->client, "q", 1, 0) == 1 && recv(p->server, &byte, 1, 0) == 1);
	ck_assert_int_eq(byte, 'q');
	ck_assert(send(p->server, "a", 1, 0) == 1 && recv(p->client, &byte, 1, 0) == 1);
}

/* The last segment of the connection from the victim, as the receiver saw it. */
static bool last_segment(uint16_t port, struct frame *out)
{
	uint8_t b[2048];
	bool found = false;
	for (ssize_t n; (n = recv(R.raw, b, sizeof(b), 0)) > 0;) {
		bool is_it = n >= 54 && n <= (ssize_t)sizeof(out->b) && b[12] == 8 && b[23] == 6 &&
			     (b[34] << 8 | b[35]) == port;
		if (!is_it)
			continue;
		memcpy(out->b, b, (size_t)n);
		out->n = (size_t)n;
		found = true;
	}
	return found;
}

/* The next bytes of that connection, as its sender would say them: a valid segment. */
static struct frame next_segment(struct frame f)
{
	size_t l4 = 34, head = (size_t)(f.b[l4 + 12] >> 4) * 4;
	unsigned length = (unsigned)(f.b[16] << 8 | f.b[17]);
	unsigned data = length - 20 - (unsigned)head;
	uint32_t seq;
	memcpy(&seq, f.b + l4 + 4, 4);
	seq = htonl(ntohl(seq) + data);
	memcpy(f.b + l4 + 4, &seq, 4);
	f.n = l4 + head;
	put(&f, forged, MAGIC_SIZE);
	f.b[16] = 0;
	f.b[17] = (uint8_t)(f.n - 14);
	f.b[l4 + 13] = 0x18;
	memset(f.b + 24, 0, 2);
	memset(f.b + l4 + 16, 0, 2);
	uint16_t ip = htons(sum16(f.b + 14, 20, 0));
	memcpy(f.b + 24, &ip, 2);
	uint32_t pseudo = 6 + (uint32_t)(f.n - l4);
	for (size_t i = 26; i < 34; i += 2)
		pseudo += (uint32_t)f.b[i] << 8 | f.b[i + 1];
	uint16_t tcp = htons(sum16(f.b + l4, f.n - l4, pseudo));
	memcpy(f.b + l4 + 16, &tcp, 2);
	return f;
}

/* Whether the forged bytes come into the connection; the engine is out of the way: offloaded. */
static bool injects(void)
{
	struct frame f;
	struct pipe p = connect_pair();
	char got[64] = "";
	(void)count_at(R.raw, forged);
	say(&p);
	(void)poll(NULL, 0, 5);
	ck_assert(last_segment(p.port, &f));
	f = next_segment(f);
	send_frame(ATTACKER, &f);
	(void)poll(NULL, 0, 20);
	bool came = recv(p.server, got, sizeof(got), MSG_DONTWAIT) == MAGIC_SIZE &&
		    memcmp(got, forged, MAGIC_SIZE) == 0;
	if (!came)
		say(&p); /* and the connection goes on */
	(void)close(p.client);
	(void)close(p.server);
	return came;
}

START_TEST(a_connection_in_the_kernels_hands_takes_no_forged_segment)
{
	apply_rules(false);
	must("iptables -t mangle -I FORWARD 1 -p tcp -j CONNMARK --set-mark 0x%x/0x%x",
	     mark_value(MASK, EPOCH, MARK_OFFLOADED), MASK);
	ck_assert(injects()); /* without the tables it works */
	bind_all();
	ck_assert(!injects());
	must("iptables -t mangle -nvxL BRIDGEWARDEN-INTERNAL | grep -q 'RETURN.*connmark match'");
}
END_TEST

START_TEST(connections_go_on_while_the_tables_are_replaced)
{
	apply_rules(true);
	bind_all();
	struct pipe p = connect_pair();
	for (unsigned i = 0; i < 30; i++) {
		const size_t fewer[] = {ATTACKER, VICTIM};
		say(&p);
		bind_members(i % 2 ? all_known : fewer, i % 2 ? 3 : 2, true);
		if (i % 10 == 5)
			must("nft delete table bridge bridgewarden");
		if (i % 10 == 5)
			ck_assert_int_eq(firewall_check(fw, NULL), 1);
		say(&p);
	}
	(void)close(p.client);
	(void)close(p.server);
}
END_TEST

/* ---- checksums that their sender left unfinished ---- */

static struct mnl_socket *queue;

static void bind_queue(uint16_t number)
{
	char buffer[256];
	struct nlmsghdr *m = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, number);
	nfq_nlmsg_cfg_put_cmd(m, AF_INET, NFQNL_CFG_CMD_BIND);
	ck_assert(mnl_socket_sendto(queue, m, m->nlmsg_len) > 0);
	m = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, number);
	nfq_nlmsg_cfg_put_params(m, NFQNL_COPY_PACKET, 0xffff);
	mnl_attr_put_u32(m, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
	mnl_attr_put_u32(m, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO));
	ck_assert(mnl_socket_sendto(queue, m, m->nlmsg_len) > 0);
}

static void open_queue(void)
{
	queue = mnl_socket_open(NETLINK_NETFILTER);
	ck_assert(queue && mnl_socket_bind(queue, 0, MNL_SOCKET_AUTOPID) == 0);
	bind_queue(700);
	bind_queue(701); /* first packets */
}

/* The IP packet that was judged. */
static struct frame judged;

static int take_packet(const struct nlmsghdr *m, void *ctx)
{
	struct nlattr *attr[NFQA_MAX + 1] = {0};
	char buffer[256];
	(void)ctx;
	ck_assert_int_ge(nfq_nlmsg_parse(m, attr), 0);
	const struct nfqnl_msg_packet_hdr *head = mnl_attr_get_payload(attr[NFQA_PACKET_HDR]);
	judged.n = mnl_attr_get_payload_len(attr[NFQA_PAYLOAD]);
	ck_assert_uint_le(judged.n, sizeof(judged.b));
	memcpy(judged.b, mnl_attr_get_payload(attr[NFQA_PAYLOAD]), judged.n);
	const struct nfgenmsg *generic = mnl_nlmsg_get_payload(m);
	struct nlmsghdr *verdict = nfq_nlmsg_put(buffer, NFQNL_MSG_VERDICT, ntohs(generic->res_id));
	nfq_nlmsg_verdict_put(verdict, (int)ntohl(head->packet_id), NF_ACCEPT);
	ck_assert(mnl_socket_sendto(queue, verdict, verdict->nlmsg_len) > 0);
	return MNL_CB_OK;
}

static void judge_one(void)
{
	char buffer[8192];
	struct pollfd there = {.fd = mnl_socket_get_fd(queue), .events = POLLIN};
	ck_assert_int_eq(poll(&there, 1, 1000), 1);
	ssize_t n = mnl_socket_recvfrom(queue, buffer, sizeof(buffer));
	ck_assert_int_gt(n, 0);
	ck_assert_int_ge(mnl_cb_run(buffer, (size_t)n, 0, 0, take_packet, NULL), 0);
}

/* With a word for the network hardware about what is to be done yet. */
static ssize_t send_unfinished(const struct virtio_net_hdr *todo, const struct frame *f)
{
	int fd = packet_socket(members[ATTACKER].ns, "eth0"), on = 1;
	uint8_t both[sizeof(*todo) + sizeof(f->b)];
	ck_assert_int_eq(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	memcpy(both, todo, sizeof(*todo));
	memcpy(both + sizeof(*todo), f->b, f->n);
	ssize_t n = send(fd, both, sizeof(*todo) + f->n, 0);
	(void)close(fd);
	return n;
}

static struct frame arrived_with(unsigned port)
{
	struct frame f = {.n = 0};
	(void)poll(NULL, 0, 5);
	for (ssize_t n; (n = recv(R.raw, f.b, sizeof(f.b), 0)) > 0;)
		if (n > 40 && (f.b[36] << 8 | f.b[37]) == (int)port) {
			f.n = (size_t)n;
			return f;
		}
	return (struct frame){.n = 0};
}

/* No hardware behind the receiver's port finishes checksums. */
static void turn_offload_off(void)
{
	struct ethtool_value off = {.cmd = ETHTOOL_STXCSUM, .data = 0};
	struct ifreq request = {.ifr_data = (void *)&off};
	memcpy(request.ifr_name, "p3", 3);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(ioctl(fd, SIOCETHTOOL, &request), 0);
	(void)close(fd);
}

/* Are the bytes that arrive those that were judged, when the sender says that the sum of its data
 * goes into the data? */
static bool is_delivered_as_judged(void)
{
	const struct virtio_net_hdr lie = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 42, .csum_offset = 2};
	struct frame f = ethernet(R.mac, members[ATTACKER].mac, ETH_P_IP);
	put_ip4(&f, members[ATTACKER].ip4, R.ip4, 4000, 53, honest);
	ck_assert_int_gt(send_unfinished(&lie, &f), 0);
	judge_one();
	struct frame got = arrived_with(53);
	ck_assert_uint_eq(got.n, f.n);
	return judged.n == got.n - 14 && memcmp(judged.b, got.b + 14, judged.n) == 0;
}

START_TEST(no_byte_changes_after_the_verdict)
{
	turn_offload_off();
	apply_rules(false);
	open_queue();
	ck_assert(!is_delivered_as_judged()); /* without us */
	apply_rules(true);
	bind_all();
	for (unsigned i = 0; i < 20; i++)
		ck_assert(is_delivered_as_judged());
}
END_TEST

/* What a packet of many segments says of its checksum the kernel checks itself (since 6.10; also in
 * stable versions): the sender's own interface refuses it, or the cut into segments does. */
START_TEST(a_lie_about_many_segments_is_refused_by_the_kernel)
{
	struct virtio_net_hdr lie = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				     .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				     .hdr_len = 54,
				     .gso_size = 40,
				     .csum_start = 34,
				     .csum_offset = 16};
	struct frame f = ethernet(R.mac, members[ATTACKER].mac, ETH_P_IP);
	static const uint8_t head[] = {0x45, 0, 0, 140, 0, 0, 0x40, 0, 64, 6, 0, 0};
	static const uint8_t zeros[4], rest[] = {0x50, 0x10, 1, 0, 0, 0, 0, 0};
	put(&f, head, sizeof(head));
	put_ip(&f, members[ATTACKER].ip4);
	put_ip(&f, R.ip4);
	uint16_t sum = htons(sum16(f.b + 14, 20, 0));
	memcpy(f.b + 24, &sum, 2);
	put16(&f, 4000);
	put16(&f, 99);
	put(&f, zeros, 4);
	put(&f, zeros, 4);
	put(&f, rest, sizeof(rest));
	for (unsigned i = 0; i < 25; i++)
		put(&f, "data", 4);
	turn_offload_off();
	ck_assert_int_gt(send_unfinished(&lie, &f), 0);
	ck_assert_uint_gt(arrived_with(99).n, 0); /* the truth passes */
	while (arrived_with(99).n > 0)
		;	     /* all its segments */
	lie.csum_start = 60; /* into the data */
	(void)send_unfinished(&lie, &f);
	ck_assert_uint_eq(arrived_with(99).n, 0);
	lie.csum_start = 34;
	lie.csum_offset = 30;
	(void)send_unfinished(&lie, &f);
	ck_assert_uint_eq(arrived_with(99).n, 0);
}
END_TEST

/* ---- keeping the tables ---- */

static const char *const disturbances[] = {
	"nft flush ruleset bridge",
	"nft delete table bridge bridgewarden",
	"nft delete table inet bridgewarden",
	"nft flush chain bridge bridgewarden bound",
	"nft flush set bridge bridgewarden known4",
	"nft 'delete element bridge bridgewarden ways { \"p1\" }'",
	"nft 'add element bridge bridgewarden ways { \"p77\" : accept }'",
	"nft 'insert rule bridge bridgewarden prerouting accept'",
	"nft 'add chain bridge bridgewarden prerouting { policy drop; }'",
};

START_TEST(a_disturbance_is_noticed_and_mended)
{
	apply_rules(true);
	bind_all();
	for (size_t i = 0; i < sizeof(disturbances) / sizeof(disturbances[0]); i++) {
		ck_assert_int_eq(firewall_check(fw, NULL), 0);
		must("%s", disturbances[i]);
		ck_assert_msg(firewall_check(fw, NULL) == 1, "%s", disturbances[i]);
		bind_all();
		ck_assert_int_eq(firewall_check(fw, NULL), 0);
		const struct frame f = forged_ip(ATTACKER);
		ck_assert_msg(send_many(ATTACKER, &f, 3, forged) == 0, "%s", disturbances[i]);
	}
}
END_TEST

START_TEST(changes_of_others_are_theirs)
{
	apply_rules(true);
	bind_all();
	must("nft add table bridge mine; nft add table inet mine; ip link add br7 type bridge");
	ck_assert_int_eq(firewall_check(fw, NULL), 0);
	must("ip link set p2 down; ip link del p1");
	ck_assert_int_eq(firewall_check(fw, NULL), 0);
}
END_TEST

START_TEST(counters_outlive_a_replacement)
{
	struct ports_drops drops;
	const size_t fewer[] = {ATTACKER, VICTIM};
	bind_all();
	const struct frame f = forged_arp_ip(ATTACKER);
	(void)send_many(ATTACKER, &f, 10, forged);
	bind_members(fewer, 2, true);
	must("nft delete table inet bridgewarden");
	ck_assert_int_eq(firewall_check(fw, NULL), 0); /* nothing else is applied: not looked at */
	bind_members(fewer, 2, false);
	firewall_read_drops(&drops);
	ck_assert_uint_eq(drops.packets[PORTS_ARP], 10);
}
END_TEST

static char *output(const char *command)
{
	char *text = calloc(1, 1 << 20);
	FILE *from = popen(command, "r"); /* NOLINT(cert-env33-c): constants of this test */
	ck_assert(from && text);
	size_t n = fread(text, 1, (1 << 20) - 1, from);
	text[n] = '\0';
	ck_assert_int_eq(pclose(from), 0);
	return text;
}

#define EVERYTHING                                                                                 \
	"nft list ruleset | grep -v -e '^table ip6\\? mangle' -e '^}' -e '^$' -e '\tchain ' "      \
	"-e '\t}' -e 'type filter hook' -e 'type route hook'; ip -d -j link show br0 | "           \
	"sed 's/_timer\":[0-9.]*//g'"

START_TEST(removal_leaves_nothing_and_puts_the_switches_back)
{
	struct error err;
	must("nft add table bridge mine");
	char *before = output(EVERYTHING);
	apply_rules(true);
	bind_all();
	struct bridge_switches now;
	ck_assert_int_eq(bridge_read("br0", &now), 0);
	ck_assert(now.ipv4 == 1 && now.has_no_ll_learn && now.no_ll_learn == 1);
	firewall_free(fw); /* it crashed; its successor stops regularly */
	ck_assert_int_eq(firewall_new(state_path, &fw, &err), 0);
	apply_rules(true);
	ck_assert_msg(firewall_remove(fw, &err) == 0, "%s", err.text);
	char *after = output(EVERYTHING);
	ck_assert_str_eq(before, after);
	ck_assert_int_eq(bridge_read("br0", &now), 0);
	ck_assert_uint_eq(now.no_ll_learn, 0);
	free(before);
	free(after);
}
END_TEST

START_TEST(what_only_observes_changes_nothing)
{
	apply_rules(false);
	struct bridge_switches now;
	ck_assert_int_eq(bridge_read("br0", &now), 0);
	ck_assert_uint_eq(now.no_ll_learn, 0);
	must("! iptables-save -t mangle | grep -e DROP -e CHECKSUM");
	for (size_t i = 0; i < N_KINDS; i++) {
		bool is_checked_by_kernel = kinds[i].make == forged_fragment;
		restore_neighbours();
		const struct frame f = kinds[i].make(ATTACKER);
		ck_assert_msg(send_many(ATTACKER, &f, 1, forged) >= 1 || is_checked_by_kernel, "%s",
			      kinds[i].name);
	}
}
END_TEST

/* Without nft: the rules of iptables alone keep what is of no subnet away, from all on the bridge
 * and from the host. */
START_TEST(addresses_outside_of_the_subnets_stay_out_without_nft)
{
	static struct frame (*const outside[])(size_t) = {forged_outside, forged_outside6};
	apply_rules(true);
	for (size_t i = 0; i < 2; i++) {
		const struct frame f = outside[i](ATTACKER);
		ck_assert_uint_eq(send_many(ATTACKER, &f, 500, forged), 0);
	}
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(53)};
	ck_assert_int_eq(inet_pton(AF_INET, "198.18.5.1", &at.sin_addr), 1);
	int in = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(in, (const struct sockaddr *)&at, sizeof(at)), 0);
	struct frame f = ethernet(gateway_mac, members[ATTACKER].mac, ETH_P_IP);
	put_ip4(&f, OUTSIDE, "198.18.5.1", 4000, 53, forged);
	char got[64];
	send_frame(ATTACKER, &f);
	(void)poll(NULL, 0, 10);
	ck_assert_int_lt(recv(in, got, sizeof(got), 0), 0);
	f.n = 14;
	put_ip4(&f, members[ATTACKER].ip4, "198.18.5.1", 4000, 53, honest);
	send_frame(ATTACKER, &f);
	(void)poll(NULL, 0, 10);
	ck_assert_int_eq(recv(in, got, sizeof(got), 0), MAGIC_SIZE);
	(void)count_at(host_raw, honest);
	assert_all_arrive(ATTACKER);
	(void)close(in);
}
END_TEST

/* ---- finding ports ---- */

START_TEST(a_port_is_found_by_the_process_behind_it)
{
	struct links links;
	ck_assert_int_eq(links_read(&links), 0);
	struct links_asker *asker = links_asker_new();
	ck_assert_ptr_nonnull(asker);
	const struct link *br0 = links_named(&links, "br0"), *br9 = links_named(&links, "br9");
	ck_assert(br0 && br0->is_bridge && br9);
	for (size_t i = 0; i < N_MEMBERS; i++) {
		if (i == LATE)
			continue;
		const struct link *bridge = i == OTHER ? br9 : br0;
		int number = links_namespace_of(asker, (uint32_t)members[i].pid);
		const struct link *port = links_port(&links, bridge->ifindex, number);
		ck_assert(port && strcmp(port->name, members[i].port) == 0);
		ck_assert_ptr_null(
			links_port(&links, i == OTHER ? br0->ifindex : br9->ifindex, number));
	}
	ck_assert_int_eq(links_namespace_of(asker, (uint32_t)getpid()), -1); /* this one */
	pid_t gone = fork();
	if (gone == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(gone, NULL, 0), gone);
	ck_assert_int_eq(links_namespace_of(asker, (uint32_t)gone), -1);
	links_asker_free(asker);
	links_fini(&links);
}
END_TEST

START_TEST(a_namespace_with_two_legs_on_one_bridge_has_no_port)
{
	struct links links;
	must("ip link add p8 type veth peer name eth8 netns %d; ip link set p8 master br0 up",
	     (int)members[ATTACKER].pid);
	ck_assert_int_eq(links_read(&links), 0);
	struct links_asker *asker = links_asker_new();
	int number = links_namespace_of(asker, (uint32_t)members[ATTACKER].pid);
	ck_assert_ptr_null(links_port(&links, links_named(&links, "br0")->ifindex, number));
	links_asker_free(asker);
	links_fini(&links);
}
END_TEST

static bool is_open(const char *name)
{
	struct links links;
	ck_assert_int_eq(links_read(&links), 0);
	bool open = links_is_open(&links, name);
	links_fini(&links);
	return open;
}

START_TEST(a_port_that_leads_further_opens_its_bridge)
{
	ck_assert(!is_open("br0"));
	ck_assert(!is_open("nowhere0"));
	ck_assert(is_open("p1")); /* no bridge */
	must("ip tuntap add tap0 mode tap && ip link set tap0 master br0");
	ck_assert(!is_open("br0"));
	must("ip link add here0 type veth peer name here1 && ip link set here0 master br0");
	ck_assert(is_open("br0"));
	must("ip link set here0 master br9");
	ck_assert(!is_open("br0"));
	ck_assert(is_open("br9"));
}
END_TEST

START_TEST(news_of_interfaces_are_told)
{
	int fd = links_watch();
	ck_assert_int_ge(fd, 0);
	struct pollfd news = {.fd = fd, .events = POLLIN};
	ck_assert_int_eq(poll(&news, 1, 0), 0);
	must("ip link add br7 type bridge");
	ck_assert_int_eq(poll(&news, 1, 1000), 1);
	links_watch_drain(fd);
	ck_assert_int_eq(poll(&news, 1, 0), 0);
	(void)close(fd);
}
END_TEST

static bool may_run(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) != 0 ||
		      /* NOLINTNEXTLINE(cert-env33-c): a constant */
		      system("nft add table bridge try 2>/dev/null") != 0);
	int status = 1;
	return waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void)
{
	if (geteuid() != 0 || !may_run()) {
		(void)fprintf(stderr, "skipped: needs root, network namespaces and nft\n");
		return 77;
	}
	Suite *suite = suite_create("firewall_spoof");
	TCase *tc = tcase_create("spoof");
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, every_kind_would_arrive_without_us);
	tcase_add_test(tc, ten_thousand_forged_frames_of_a_known_container_do_not_arrive);
	tcase_add_test(tc, nor_do_those_of_one_that_is_not_known_yet);
	tcase_add_test(tc, nor_do_those_of_a_port_newer_than_the_tables_for_what_is_owned);
	tcase_add_test(tc, honest_frames_all_arrive);
	tcase_add_test(tc, an_endpoint_whose_link_address_is_not_known_is_bound_by_its_addresses);
	tcase_add_test(tc, what_the_policy_calls_nested_may_come_from_any_container);
	tcase_add_test(tc, what_nobody_manages_is_left_alone);
	tcase_add_test(tc, the_bridge_learns_nothing_from_forged_frames);
	tcase_add_test(tc, nothing_reaches_the_host_past_the_bridge);
	tcase_add_test(tc, a_connection_in_the_kernels_hands_takes_no_forged_segment);
	tcase_add_test(tc, connections_go_on_while_the_tables_are_replaced);
	tcase_add_test(tc, no_byte_changes_after_the_verdict);
	tcase_add_test(tc, a_lie_about_many_segments_is_refused_by_the_kernel);
	tcase_add_test(tc, a_disturbance_is_noticed_and_mended);
	tcase_add_test(tc, changes_of_others_are_theirs);
	tcase_add_test(tc, counters_outlive_a_replacement);
	tcase_add_test(tc, removal_leaves_nothing_and_puts_the_switches_back);
	tcase_add_test(tc, what_only_observes_changes_nothing);
	tcase_add_test(tc, addresses_outside_of_the_subnets_stay_out_without_nft);
	tcase_add_test(tc, a_port_is_found_by_the_process_behind_it);
	tcase_add_test(tc, a_namespace_with_two_legs_on_one_bridge_has_no_port);
	tcase_add_test(tc, a_port_that_leads_further_opens_its_bridge);
	tcase_add_test(tc, news_of_interfaces_are_told);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
