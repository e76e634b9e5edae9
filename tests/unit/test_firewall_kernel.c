/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real kernel and the real iptables, in network namespaces that this test makes: a host with
 * two managed bridges and one that is not, a container on each end. Needs root; without it the test
 * says so and is skipped. Nothing outside is touched, and all of it ends with the process.
 *
 *      c1 --- br0 ---.
 *      c2 --- br0 --- host (this process' namespace)
 *      c3 --- br1 ---'          br9: nobody manages it
 */
#include "bridgewarden/shared.h"
#include "firewall/bridge.h"
#include "firewall/firewall.h"
#include "firewall/state.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MASK = 0xff00, EPOCH = 5, BASE = 700 };

static int host_ns = -1, ns[3] = {-1, -1, -1};
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

/* A namespace that lives as long as its process, which ends with us. Returns its descriptor. */
static int make_namespace(const char *name, const char *bridge, const char *net, unsigned host)
{
	int ready[2];
	char one = 0, path[64];
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
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	must("printf 'link add %s type veth peer name eth0 netns %d\\nlink set %s master %s up\\n' "
	     "| ip -batch -",
	     name, (int)pid, name, bridge);
	must("printf 'link set lo up\\nlink set eth0 up\\naddr add %s.%u/24 dev eth0\\naddr add "
	     "fd00:5::%u/64 dev eth0 nodad\\n"
	     "route add default via %s.1\\n' | nsenter --net=%s ip -batch -",
	     net, host, host, net, path);
	return fd;
}

static void make_world(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	host_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	must("printf 'link set lo up\\nlink add br0 type bridge\\nlink add br1 type bridge\\nlink "
	     "add br9 type bridge\\n"
	     "link set br0 up\\nlink set br1 up\\nlink set br9 up\\naddr add 198.18.5.1/24 dev "
	     "br0\\n"
	     "addr add 198.18.6.1/24 dev br1\\naddr add fd00:5::1/64 dev br0 nodad\\n' | ip -batch "
	     "-");
	/* a new namespace begins with 1: only the per-bridge switch shall do it here */
	must("cd /proc/sys/net && echo 0 >bridge/bridge-nf-call-iptables && echo 0 "
	     ">bridge/bridge-nf-call-ip6tables &&"
	     " echo 1 >ipv4/ip_forward");
	ns[0] = make_namespace("c1", "br0", "198.18.5", 2);
	ns[1] = make_namespace("c2", "br0", "198.18.5", 3);
	ns[2] = make_namespace("c3", "br1", "198.18.6", 2);
}

static struct firewall_plan plan_of(unsigned n_queues, bool is_open)
{
	static char names[2][IFNAMSIZ] = {"br0", "br1"};
	return (struct firewall_plan){
		.interfaces = names,
		.n_interfaces = 2,
		.queue_base = BASE,
		.n_queues = n_queues,
		.fail_open = {is_open, is_open, is_open},
		.mark_mask = MASK,
		.epoch = EPOCH,
	};
}

static void open_firewall(void)
{
	struct error err;
	ck_assert_msg(firewall_new(state_path, &fw, &err) == 0, "%s", err.text);
}

static void apply(const struct firewall_plan *plan)
{
	struct error err;
	ck_assert_msg(firewall_apply(fw, plan, &err) == 0, "%s", err.text);
}

static void assert_check(int wanted)
{
	struct error err = {{0}};
	ck_assert_msg(firewall_check(fw, &err) == wanted, "wanted %d: %s", wanted, err.text);
}

static void remove_all(void)
{
	struct error err;
	ck_assert_msg(firewall_remove(fw, &err) == 0, "%s", err.text);
}

static void set_up(void)
{
	(void)snprintf(state_path, sizeof(state_path), "/tmp/bw-firewall-%d.state", (int)getpid());
	make_world();
	open_firewall();
}

static void tear_down(void)
{
	firewall_free(fw);
	fw = NULL;
	(void)unlink(state_path);
}

/* What a command prints; the caller frees. */
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

#define SAVE                                                                                       \
	"for v in '' 6; do ip${v}tables-save; ip${v}tables-legacy-save -t mangle; done "           \
	"2>/dev/null"                                                                              \
	" | sed -e '/^#/d' -e 's/\\[[0-9:]*\\]//'"

static void assert_same(const char *before, const char *command)
{
	char *after = output(command);
	ck_assert_str_eq(before, after);
	free(after);
}

static void assert_switches(const char *bridge, unsigned v4, unsigned v6)
{
	struct bridge_switches s;
	ck_assert_int_eq(bridge_read(bridge, &s), 0);
	ck_assert_uint_eq(s.ipv4, v4);
	ck_assert_uint_eq(s.ipv6, v6);
}

/* ---- applying, checking, removing ---- */

START_TEST(applying_twice_is_the_same)
{
	struct firewall_plan plan = plan_of(4, false);
	apply(&plan);
	char *first = output(SAVE);
	ck_assert_ptr_nonnull(strstr(first, "BRIDGEWARDEN-INTERNAL"));
	apply(&plan);
	assert_same(first, SAVE);
	assert_check(0);
	assert_check(0);
	free(first);
}
END_TEST

START_TEST(another_plan_replaces_the_rules)
{
	struct firewall_plan plan = plan_of(4, false);
	apply(&plan);
	char *first = output(SAVE);
	plan.epoch++;
	plan.n_interfaces = 1;
	apply(&plan);
	assert_check(0);
	assert_switches("br1", 0, 0); /* no longer managed */
	char *second = output(SAVE);
	ck_assert_ptr_null(strstr(second, "br1"));
	plan = plan_of(4, false);
	apply(&plan);
	assert_same(first, SAVE);
	free(first);
	free(second);
}
END_TEST

static const char *const disturbances[] = {
	"iptables -t mangle -F",
	"ip6tables -t mangle -F",
	"iptables -t mangle -F BRIDGEWARDEN-EGRESS",
	"iptables -t mangle -D FORWARD -j BRIDGEWARDEN-FORWARD",
	"iptables -t mangle -I FORWARD 1 -s 198.18.5.2 -j ACCEPT",
	"ip6tables -t mangle -I INPUT 1 -j ACCEPT",
	"iptables -t mangle -I BRIDGEWARDEN-INTERNAL 1 -j ACCEPT",
	"iptables -t mangle -D BRIDGEWARDEN-INTERNAL 1",
	"ip link set br0 type bridge nf_call_iptables 0",
	"ip link set br1 type bridge nf_call_ip6tables 0",
	"ip link del br1 && ip link add br1 type bridge",
	"ip link del br1 && ip link add br1 type bridge nf_call_iptables 1 nf_call_ip6tables 1",
};

#define OURS                                                                                       \
	"for v in '' 6; do ip${v}tables-save -t mangle; done | grep BRIDGEWARDEN | sed "           \
	"'s/\\[.*//'"

START_TEST(a_disturbance_is_noticed_and_mended)
{
	struct firewall_plan plan = plan_of(2, false);
	must("iptables -t mangle -A FORWARD -s 198.18.9.9 -j RETURN");
	apply(&plan);
	char *right = output(OURS);
	for (size_t i = 0; i < sizeof(disturbances) / sizeof(disturbances[0]); i++) {
		assert_check(0);
		must("%s", disturbances[i]);
		ck_assert_msg(firewall_check(fw, NULL) == 1, "%s", disturbances[i]);
		ck_assert_msg(firewall_check(fw, NULL) == 1, "%s, the second time",
			      disturbances[i]);
		apply(&plan);
		assert_check(0);
		assert_same(right, OURS);
		assert_switches("br0", 1, 1);
		assert_switches("br1", 1, 1);
	}
	free(right);
}
END_TEST

static const char *const harmless[] = {
	"iptables -A FORWARD -j ACCEPT",
	"iptables -t mangle -A FORWARD -j ACCEPT",
	"iptables -t nat -A POSTROUTING -j MASQUERADE",
	"iptables -t mangle -Z",
	"ip link add br7 type bridge",
};

START_TEST(changes_of_others_are_theirs)
{
	struct firewall_plan plan = plan_of(2, false);
	apply(&plan);
	assert_check(0);
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		must("%s", harmless[i]);
		ck_assert_msg(firewall_check(fw, NULL) == 0, "%s", harmless[i]);
		ck_assert_msg(firewall_check(fw, NULL) == 0, "%s, the second time", harmless[i]);
	}
}
END_TEST

START_TEST(removal_restores_what_was_there)
{
	struct firewall_plan plan = plan_of(4, false);
	must("iptables -t mangle -N MINE; iptables -t mangle -A MINE -s 198.18.1.1 -m comment "
	     "--comment 'a \"b\" c' -j MARK --set-mark 1");
	must("iptables -t mangle -A FORWARD -j MINE; iptables -t mangle -P OUTPUT ACCEPT; "
	     "ip6tables -t mangle -A INPUT -p tcp -j RETURN");
	must("ip link set br1 type bridge nf_call_iptables 1");
	char *before = output(SAVE);
	apply(&plan);
	assert_switches("br0", 1, 1);
	assert_switches("br1", 1, 1);
	assert_switches("br9", 0, 0);
	remove_all();
	assert_same(before, SAVE);
	assert_switches("br0", 0, 0);
	assert_switches("br1", 1, 0);
	ck_assert_int_ne(access(state_path, F_OK), 0);
	remove_all();
	assert_same(before, SAVE);
	free(before);
}
END_TEST

START_TEST(removal_without_anything_applied_changes_nothing)
{
	char *before = output(SAVE);
	remove_all();
	assert_same(before, SAVE);
	free(before);
}
END_TEST

START_TEST(a_successor_of_a_crashed_daemon_puts_back_the_original)
{
	struct firewall_plan plan = plan_of(2, false);
	must("iptables -t mangle -A FORWARD -j RETURN; ip6tables -t mangle -A FORWARD -j RETURN");
	char *before = output(SAVE);
	apply(&plan);
	firewall_free(fw); /* no removal: it crashed */
	open_firewall();
	apply(&plan);
	firewall_free(fw);
	open_firewall();
	remove_all();
	assert_same(before, SAVE);
	assert_switches("br0", 0, 0);
	assert_switches("br1", 0, 0);
	free(before);
}
END_TEST

START_TEST(a_damaged_state_file_is_told)
{
	struct error err;
	struct firewall *other = NULL;
	must("printf 'bridgewarden-firewall 1\\nbridge br0 2 0 7\\n' >%s", state_path);
	ck_assert_int_eq(firewall_new(state_path, &other, &err), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(err.text, state_path));
	ck_assert_ptr_null(other);
}
END_TEST

START_TEST(follows_docker_to_the_backend_it_uses)
{
	struct firewall_plan plan = plan_of(2, false);
	if (sh("iptables-legacy -N DOCKER 2>/dev/null") != 0) {
		(void)fprintf(stderr, "skipped: no legacy iptables here\n");
		return;
	}
	apply(&plan);
	must("iptables-legacy-save -t mangle | grep -q BRIDGEWARDEN-INTERNAL");
	must("! iptables-nft-save 2>/dev/null | grep -q BRIDGEWARDEN");
	must("ip6tables-legacy-save -t mangle | grep -q BRIDGEWARDEN-INTERNAL");
	assert_check(0);
	must("iptables-legacy -t mangle -D BRIDGEWARDEN-INTERNAL 1");
	assert_check(1);
	apply(&plan);
	assert_check(0);
	remove_all();
	must("! iptables-legacy-save | grep -q BRIDGEWARDEN");
}
END_TEST

START_TEST(an_interface_that_is_no_bridge_or_not_there_is_no_error)
{
	static char names[3][IFNAMSIZ] = {"lo", "br0", "later0"};
	struct firewall_plan plan = plan_of(1, false);
	plan.interfaces = names;
	plan.n_interfaces = 3;
	apply(&plan);
	assert_check(0);
	must("ip link add later0 type bridge");
	assert_check(1);
	apply(&plan);
	assert_check(0);
	assert_switches("later0", 1, 1);
	remove_all();
}
END_TEST

/* ---- traffic ---- */

/* A socket in another namespace. */
static int socket_in(int where, int family, int type)
{
	ck_assert_int_eq(setns(where, CLONE_NEWNET), 0);
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(setns(host_ns, CLONE_NEWNET), 0);
	ck_assert_int_ge(fd, 0);
	struct timeval wait = {.tv_sec = 1};
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	int on = 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return fd;
}

/* Either family; the sockets are IPv6 ones for "::"-like addresses. */
static socklen_t address(const char *text, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	ck_assert_int_eq(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof(*v6);
}

static int bound(int where, const char *ip, uint16_t port, int type)
{
	struct sockaddr_storage at;
	socklen_t n = address(ip, port, &at);
	int fd = socket_in(where, at.ss_family, type);
	ck_assert_msg(bind(fd, (const struct sockaddr *)&at, n) == 0, "bind %s %u: %s", ip, port,
		      strerror(errno));
	return fd;
}

/* Does a datagram arrive in that time? */
static bool datagram(int wait_ms, int from_ns, const char *from, uint16_t src, int to_ns,
		     const char *to, uint16_t dst)
{
	struct sockaddr_storage at;
	socklen_t n = address(to, dst, &at);
	int out = bound(from_ns, from, src, SOCK_DGRAM), in = bound(to_ns, to, dst, SOCK_DGRAM);
	char got[8];
	ck_assert_int_eq(sendto(out, "x", 1, 0, (const struct sockaddr *)&at, n), 1);
	struct pollfd there = {.fd = in, .events = POLLIN};
	bool came = poll(&there, 1, wait_ms) == 1 && recv(in, got, sizeof(got), 0) == 1;
	(void)close(out);
	(void)close(in);
	return came;
}

#define arrives(...)	datagram(2000, __VA_ARGS__)
#define is_blocked(...) !datagram(150, __VA_ARGS__)

START_TEST(closed_without_an_engine_and_open_by_choice)
{
	struct firewall_plan plan = plan_of(2, false);
	apply(&plan);
	ck_assert(is_blocked(ns[0], "198.18.5.2", 4001, ns[1], "198.18.5.3", 53)); /* one bridge */
	ck_assert(is_blocked(ns[0], "198.18.5.2", 4002, ns[2], "198.18.6.2", 53)); /* two bridges */
	ck_assert(is_blocked(ns[0], "198.18.5.2", 4003, host_ns, "198.18.5.1", 53));
	ck_assert(is_blocked(host_ns, "198.18.5.1", 4004, ns[0], "198.18.5.2", 53));
	ck_assert(is_blocked(ns[0], "fd00:5::2", 4005, ns[1], "fd00:5::3", 53));
	ck_assert(is_blocked(host_ns, "fd00:5::1", 4006, ns[0], "fd00:5::2", 53));
	plan.fail_open.internal = true;
	apply(&plan);
	ck_assert(arrives(ns[0], "198.18.5.2", 4011, ns[1], "198.18.5.3", 53));
	ck_assert(arrives(ns[0], "198.18.5.2", 4012, ns[2], "198.18.6.2", 53));
	ck_assert(arrives(ns[0], "fd00:5::2", 4015, ns[1], "fd00:5::3",
			  53)); /* also: neighbours were found */
	ck_assert(is_blocked(ns[0], "198.18.5.2", 4013, host_ns, "198.18.5.1", 53));
	ck_assert(is_blocked(host_ns, "198.18.5.1", 4014, ns[0], "198.18.5.2", 53));
	plan = plan_of(2, true);
	apply(&plan);
	ck_assert(arrives(ns[0], "198.18.5.2", 4023, host_ns, "198.18.5.1", 53));
	ck_assert(arrives(host_ns, "198.18.5.1", 4024, ns[0], "198.18.5.2", 53));
	remove_all();
	ck_assert(arrives(ns[0], "198.18.5.2", 4031, ns[1], "198.18.5.3", 53));
}
END_TEST

/* Packets that the rules for a worker's two queues matched, by iptables' own counters; all scopes.
 */
static unsigned long queued(const char *program, unsigned queue, unsigned n_queues)
{
	char command[256];
	(void)snprintf(command, sizeof(command),
		       "%s -t mangle -c | sed -n 's/^\\[\\([0-9]*\\):.*--queue-num \\(%u\\|%u\\) "
		       "--queue-bypass$/\\1/p' | paste -sd+ | bc",
		       program, BASE + queue, BASE + n_queues + queue);
	char *text = output(command);
	unsigned long n = strtoul(text, NULL, 10);
	free(text);
	return n;
}

static void assert_one_queue(const char *save, unsigned n_queues, unsigned wanted, const char *from,
			     const char *to, uint16_t port)
{
	unsigned long before[8], hits;
	for (unsigned q = 0; q < n_queues; q++)
		before[q] = queued(save, q, n_queues);
	ck_assert(arrives(ns[0], from, port, ns[1], to, 5000));
	ck_assert(arrives(ns[1], to, 5000, ns[0], from, port));
	for (unsigned q = 0; q < n_queues; q++) {
		hits = queued(save, q, n_queues) - before[q];
		ck_assert_msg(hits == (q == wanted ? 2 : 0), "port %u: queue %u has %lu", port, q,
			      hits);
	}
}

START_TEST(both_directions_of_a_flow_meet_in_one_queue_of_many)
{
	struct firewall_plan plan = plan_of(4, true);
	apply(&plan);
	for (uint16_t port = 40000; port < 40008; port += 2) {
		unsigned wanted = (port + 5000u) / 2 % 4;
		assert_one_queue("iptables-save", 4, wanted, "198.18.5.2", "198.18.5.3", port);
		assert_one_queue("ip6tables-save", 4, wanted, "fd00:5::2", "fd00:5::3", port);
	}
}
END_TEST

START_TEST(traffic_of_others_meets_no_queue)
{
	struct firewall_plan plan = plan_of(1, false);
	plan.n_interfaces = 1; /* br0 only */
	apply(&plan);
	ck_assert(arrives(ns[2], "198.18.6.2", 4001, host_ns, "198.18.6.1", 53));
	ck_assert(arrives(host_ns, "198.18.6.1", 4002, ns[2], "198.18.6.2", 53));
	ck_assert(is_blocked(ns[2], "198.18.6.2", 4003, ns[0], "198.18.5.2",
			     53)); /* ingress of br0 */
}
END_TEST

/* ---- an engine that accepts everything ---- */

/* Counters: written by its thread, read after the traffic. */
static struct accepter {
	struct mnl_socket *socket;
	_Atomic uint32_t mark; /* 0: none */
	atomic_uint n, n_data, n_by_hook[8];
} accepter;

/* TCP and UDP; the kernel says things of its own besides. */
static void count_packet(const uint8_t *p, unsigned hook)
{
	size_t l4 = p[0] >> 4 == 4 ? (p[0] & 15u) * 4 : 40;
	uint8_t proto = p[0] >> 4 == 4 ? p[9] : p[6];
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return;
	accepter.n++;
	accepter.n_by_hook[hook]++;
	if (proto == IPPROTO_TCP && (p[l4 + 13] & 7) == 0) /* neither FIN, SYN nor RST */
		accepter.n_data++;
}

static int accept_packet(const struct nlmsghdr *m, void *ctx)
{
	struct nlattr *attr[NFQA_MAX + 1] = {0};
	char buffer[256];
	(void)ctx;
	if (nfq_nlmsg_parse(m, attr) < 0 || !attr[NFQA_PACKET_HDR] || !attr[NFQA_PAYLOAD])
		return MNL_CB_OK;
	const struct nfqnl_msg_packet_hdr *head = mnl_attr_get_payload(attr[NFQA_PACKET_HDR]);
	const struct nfgenmsg *generic = mnl_nlmsg_get_payload(m);
	count_packet(mnl_attr_get_payload(attr[NFQA_PAYLOAD]), head->hook & 7);
	struct nlmsghdr *verdict = nfq_nlmsg_put(buffer, NFQNL_MSG_VERDICT, ntohs(generic->res_id));
	nfq_nlmsg_verdict_put(verdict, (int)ntohl(head->packet_id), NF_ACCEPT);
	if (accepter.mark)
		nfq_nlmsg_verdict_put_mark(verdict, accepter.mark);
	(void)mnl_socket_sendto(accepter.socket, verdict, verdict->nlmsg_len);
	return MNL_CB_OK;
}

static void *accepting(void *arg)
{
	static char buffer[0xffff + 8192];
	(void)arg;
	for (ssize_t n; (n = mnl_socket_recvfrom(accepter.socket, buffer, sizeof(buffer))) > 0;)
		(void)mnl_cb_run(buffer, (size_t)n, 0, mnl_socket_get_portid(accepter.socket),
				 accept_packet, NULL);
	return NULL;
}

static void accept_queue(uint16_t number)
{
	char buffer[256];
	struct nlmsghdr *m = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, number);
	nfq_nlmsg_cfg_put_cmd(m, AF_INET, NFQNL_CFG_CMD_BIND);
	ck_assert(mnl_socket_sendto(accepter.socket, m, m->nlmsg_len) > 0);
	m = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, number);
	nfq_nlmsg_cfg_put_params(m, NFQNL_COPY_PACKET, 128);
	ck_assert(mnl_socket_sendto(accepter.socket, m, m->nlmsg_len) > 0);
}

static void start_accepter(uint32_t mark)
{
	pthread_t thread;
	accepter.mark = mark;
	accepter.socket = mnl_socket_open(NETLINK_NETFILTER);
	ck_assert(accepter.socket && mnl_socket_bind(accepter.socket, 0, MNL_SOCKET_AUTOPID) == 0);
	accept_queue(BASE);
	accept_queue(BASE + 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, accepting, NULL), 0);
	(void)pthread_detach(thread);
}

enum { ROUNDS = 10 };

/* One connection, ROUNDS requests and replies, closed. Counts begin at its SYN. */
static void talk(int from_ns, int to_ns, const char *to, uint16_t port)
{
	struct sockaddr_storage at;
	socklen_t n = address(to, port, &at);
	int listener = bound(to_ns, to, port, SOCK_STREAM),
	    client = socket_in(from_ns, at.ss_family, SOCK_STREAM);
	char byte;
	accepter.n = accepter.n_data = 0;
	memset(accepter.n_by_hook, 0, sizeof(accepter.n_by_hook));
	ck_assert_int_eq(listen(listener, 4), 0);
	ck_assert_msg(connect(client, (const struct sockaddr *)&at, n) == 0, "%s: %s", to,
		      strerror(errno));
	int server = accept(listener, NULL, NULL);
	ck_assert_int_ge(server, 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		ck_assert(send(client, "q", 1, 0) == 1 && recv(server, &byte, 1, 0) == 1);
		ck_assert(send(server, "a", 1, 0) == 1 && recv(client, &byte, 1, 0) == 1);
	}
	(void)close(client);
	(void)recv(server, &byte, 1, 0);
	(void)close(server);
	(void)close(listener);
	(void)poll(NULL, 0, 50);
}

struct pair {
	int from, to; /* index of ns, -1: the host */
	const char *ip;
};

static const struct pair pairs[] = {
	{0, 1, "198.18.5.3"}, {0, 1, "fd00:5::3"},   {0, 2, "198.18.6.2"}, {0, -1, "198.18.5.1"},
	{0, -1, "fd00:5::1"}, {-1, 0, "198.18.5.2"}, {-1, 0, "fd00:5::2"},
};

static int ns_of(int i)
{
	return i < 0 ? host_ns : ns[i];
}

static void talk_pair(const struct pair *p, uint16_t port)
{
	talk(ns_of(p->from), ns_of(p->to), p->ip, port);
}

enum { N_PAIRS = sizeof(pairs) / sizeof(pairs[0]) };

START_TEST(every_packet_of_a_connection_comes_up_once)
{
	struct firewall_plan plan = plan_of(1, false);
	apply(&plan);
	start_accepter(0);
	for (size_t i = 0; i < N_PAIRS; i++) {
		const struct pair *p = &pairs[i];
		talk_pair(p, (uint16_t)(80 + i));
		/* SYN, SYN/ACK, two FINs; a request, a reply, the handshake's ACK; at most an ACK
		 * for each, and the last */
		ck_assert_msg(accepter.n >= 4 + 2 * ROUNDS + 1 && accepter.n <= 4 + 4 * ROUNDS + 4,
			      "pair %zu: %u", i, accepter.n);
		bool is_host = p->from < 0 || p->to < 0;
		ck_assert_int_eq(accepter.n_by_hook[NF_INET_FORWARD] > 0, !is_host);
		ck_assert_int_eq(accepter.n_by_hook[NF_INET_LOCAL_IN] > ROUNDS, is_host);
		ck_assert_int_eq(accepter.n_by_hook[NF_INET_LOCAL_OUT] > ROUNDS, is_host);
		/* the SYN of the host: it may yet meet a DNAT */
		ck_assert_uint_eq(accepter.n_by_hook[NF_INET_POST_ROUTING], p->from < 0);
	}
}
END_TEST

START_TEST(a_marked_verdict_offloads_the_connection_but_not_its_end)
{
	struct firewall_plan plan = plan_of(1, false);
	apply(&plan);
	start_accepter(mark_value(MASK, EPOCH, MARK_OFFLOADED));
	for (size_t i = 0; i < N_PAIRS; i++) {
		talk_pair(&pairs[i], (uint16_t)(80 + i));
		/* what the host opens is marked from its second packet on */
		ck_assert_msg(accepter.n_data <= 2, "pair %zu: %u", i, accepter.n_data);
		ck_assert_msg(accepter.n - accepter.n_data >= 4, "pair %zu: %u", i,
			      accepter.n - accepter.n_data);
	}
}
END_TEST

START_TEST(a_mark_for_requests_lets_only_replies_pass)
{
	struct firewall_plan plan = plan_of(1, false);
	apply(&plan);
	start_accepter(mark_value(MASK, EPOCH, MARK_REQUESTS));
	for (size_t i = 0; i < N_PAIRS; i++) {
		const struct pair *p = &pairs[i];
		talk_pair(p, (uint16_t)(80 + i));
		ck_assert_msg(accepter.n_data >= ROUNDS && accepter.n_data <= 2 * ROUNDS + 3,
			      "pair %zu: %u", i, accepter.n_data);
		unsigned back = p->from < 0 ? NF_INET_LOCAL_IN : NF_INET_LOCAL_OUT;
		if (p->from < 0 || p->to < 0)
			ck_assert_uint_le(accepter.n_by_hook[back],
					  3); /* SYN/ACK, FIN, perhaps one ACK */
	}
}
END_TEST

START_TEST(other_states_and_epochs_offload_nothing)
{
	static const struct {
		uint32_t epoch;
		enum mark_state state;
	} weak[] = {{EPOCH, MARK_BOTH},
		    {EPOCH + 1, MARK_OFFLOADED},
		    {EPOCH - 1, MARK_OFFLOADED},
		    {EPOCH + 1, MARK_REQUESTS}};
	struct firewall_plan plan = plan_of(1, false);
	apply(&plan);
	start_accepter(0);
	for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
		accepter.mark = mark_value(MASK, weak[i].epoch, weak[i].state);
		talk_pair(&pairs[0], (uint16_t)(80 + i));
		ck_assert_msg(accepter.n_data >= 2 * ROUNDS, "mark 0x%x: %u", accepter.mark,
			      accepter.n_data);
	}
}
END_TEST

START_TEST(a_new_epoch_brings_offloaded_connections_back)
{
	struct firewall_plan plan = plan_of(1, false);
	char byte;
	apply(&plan);
	start_accepter(mark_value(MASK, EPOCH, MARK_OFFLOADED));
	int listener = bound(ns[1], "198.18.5.3", 80, SOCK_STREAM),
	    client = socket_in(ns[0], AF_INET, SOCK_STREAM);
	struct sockaddr_storage at;
	socklen_t n = address("198.18.5.3", 80, &at);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(connect(client, (const struct sockaddr *)&at, n), 0);
	int server = accept(listener, NULL, NULL);
	accepter.n_data = 0;
	ck_assert(send(client, "q", 1, 0) == 1 && recv(server, &byte, 1, 0) == 1);
	ck_assert_uint_eq(accepter.n_data, 0);
	plan.epoch++;
	apply(&plan);
	ck_assert(send(client, "q", 1, 0) == 1 && recv(server, &byte, 1, 0) == 1);
	ck_assert_uint_ge(accepter.n_data, 1);
}
END_TEST

START_TEST(what_the_engine_sends_in_the_hosts_name_is_not_queued)
{
	struct firewall_plan plan = plan_of(1, false);
	uint32_t mark = firewall_injected_mark(MASK);
	struct sockaddr_storage at;
	socklen_t n = address("198.18.5.2", 53, &at);
	apply(&plan);
	start_accepter(0);
	int in = bound(ns[0], "198.18.5.2", 53, SOCK_DGRAM),
	    out = bound(host_ns, "198.18.5.1", 4001, SOCK_DGRAM);
	ck_assert_int_eq(setsockopt(out, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	char got;
	ck_assert_int_eq(sendto(out, "x", 1, 0, (const struct sockaddr *)&at, n), 1);
	ck_assert_int_eq(recv(in, &got, 1, 0), 1);
	ck_assert_uint_eq(accepter.n, 0);
}
END_TEST

START_TEST(host_connections_through_local_dnat_show_one_pair_of_addresses)
{
	struct firewall_plan plan = plan_of(1, false);
	struct sockaddr_storage at;
	socklen_t n = address("198.18.5.1", 8080, &at);
	must("iptables -t nat -A OUTPUT -d 198.18.5.1 -p tcp --dport 8080 -j DNAT --to "
	     "198.18.5.2:80");
	apply(&plan);
	start_accepter(0);
	int listener = bound(ns[0], "198.18.5.2", 80, SOCK_STREAM),
	    client = socket_in(host_ns, AF_INET, SOCK_STREAM);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(connect(client, (const struct sockaddr *)&at, n), 0);
	ck_assert_int_eq(send(client, "x", 1, 0), 1);
	(void)poll(NULL, 0, 50);
	ck_assert_uint_eq(accepter.n_by_hook[NF_INET_LOCAL_OUT],
			  0); /* there it still showed 198.18.5.1:8080 */
	ck_assert_uint_ge(accepter.n_by_hook[NF_INET_POST_ROUTING], 3);
	ck_assert_uint_ge(accepter.n_by_hook[NF_INET_LOCAL_IN], 2);
}
END_TEST

static bool may_run(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) == 0 ? 0 : 1);
	int status = 1;
	return waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void)
{
	if (geteuid() != 0 || !may_run()) {
		(void)fprintf(stderr, "skipped: needs root and network namespaces\n");
		return 77;
	}
	Suite *suite = suite_create("firewall_kernel");
	TCase *rules = tcase_create("rules"), *traffic = tcase_create("traffic");
	tcase_add_checked_fixture(rules, set_up, tear_down);
	tcase_add_checked_fixture(traffic, set_up, tear_down);
	tcase_set_timeout(rules, 20);
	tcase_set_timeout(traffic, 30);
	tcase_add_test(rules, applying_twice_is_the_same);
	tcase_add_test(rules, another_plan_replaces_the_rules);
	tcase_add_test(rules, a_disturbance_is_noticed_and_mended);
	tcase_add_test(rules, changes_of_others_are_theirs);
	tcase_add_test(rules, removal_restores_what_was_there);
	tcase_add_test(rules, removal_without_anything_applied_changes_nothing);
	tcase_add_test(rules, a_successor_of_a_crashed_daemon_puts_back_the_original);
	tcase_add_test(rules, a_damaged_state_file_is_told);
	tcase_add_test(rules, follows_docker_to_the_backend_it_uses);
	tcase_add_test(rules, an_interface_that_is_no_bridge_or_not_there_is_no_error);
	tcase_add_test(traffic, closed_without_an_engine_and_open_by_choice);
	tcase_add_test(traffic, both_directions_of_a_flow_meet_in_one_queue_of_many);
	tcase_add_test(traffic, traffic_of_others_meets_no_queue);
	tcase_add_test(traffic, every_packet_of_a_connection_comes_up_once);
	tcase_add_test(traffic, a_marked_verdict_offloads_the_connection_but_not_its_end);
	tcase_add_test(traffic, a_mark_for_requests_lets_only_replies_pass);
	tcase_add_test(traffic, other_states_and_epochs_offload_nothing);
	tcase_add_test(traffic, a_new_epoch_brings_offloaded_connections_back);
	tcase_add_test(traffic, what_the_engine_sends_in_the_hosts_name_is_not_queued);
	tcase_add_test(traffic, host_connections_through_local_dnat_show_one_pair_of_addresses);
	suite_add_tcase(suite, rules);
	suite_add_tcase(suite, traffic);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
