/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const uint8_t world_mac_gate[6] = {0x02, 0, 0, 0, 5, 1};
const uint8_t world_mac_peer[6] = {0x02, 0, 0, 0, 5, 2};
const uint8_t world_mac_near[6] = {0x02, 0, 0, 0, 5, 3};

static int say(const char *what)
{
	(void)fprintf(stderr, "bw-evasion: %s: %s\n", what, strerror(errno));
	return -1;
}

/* ---- namespaces ---- */

static void hold_namespace(int tell)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	char one = unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
	(void)!write(tell, &one, 1); /* its absence says the same */
	for (;;)
		(void)pause();
}

static int make_place(struct world *w, enum place place)
{
	int ready[2];
	char one = 0, path[64];
	if (pipe(ready) != 0)
		return say("pipe");
	w->holder[place] = fork();
	if (w->holder[place] == 0)
		hold_namespace(ready[1]);
	(void)close(ready[1]);
	bool is_made = w->holder[place] > 0 && read(ready[0], &one, 1) == 1 && one == 'y';
	(void)close(ready[0]);
	if (!is_made)
		return say("namespace");
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)w->holder[place]);
	w->ns[place] = open(path, O_RDONLY | O_CLOEXEC);
	return w->ns[place] >= 0 ? 0 : say(path);
}

int world_enter(const struct world *w, enum place place)
{
	return setns(w->ns[place], CLONE_NEWNET) == 0 ? 0 : say("setns");
}

int world_run(const struct world *w, enum place place, const char *format, ...)
{
	char command[2048];
	va_list args;
	int n = snprintf(command, sizeof(command), "exec nsenter --net=/proc/%d/ns/net ",
			 (int)w->holder[place]);
	va_start(args, format);
	(void)vsnprintf(command + n, sizeof(command) - (size_t)n, format, args);
	va_end(args);
	int status = system(command); /* NOLINT(cert-env33-c): constants of this test */
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int world_set_offloads(const struct world *w, enum place place, const char *link, bool on)
{
	static const uint32_t commands[] = {ETHTOOL_SGRO, ETHTOOL_SGSO, ETHTOOL_STSO};
	if (world_enter(w, place))
		return -1;
	int bad = 0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (unsigned i = 0; i < 3; i++) {
		struct ethtool_value value = {.cmd = commands[i], .data = on};
		struct ifreq request = {.ifr_data = (void *)&value};
		(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", link);
		bad |= ioctl(fd, SIOCETHTOOL, &request);
	}
	(void)close(fd);
	return bad ? say("offloads") : 0;
}

/* What each place gets, line by line, for ip -batch. %P %N %R %F are the holders. */
static const char *const links =
	"link set lo up\n"
	"link add br0 address 02:00:00:00:05:01 type bridge\n"
	"link add peer0 type veth peer name eth0 address 02:00:00:00:05:02 netns %P\n"
	"link add near0 type veth peer name eth0 address 02:00:00:00:05:03 netns %N\n"
	"link add up0 address 02:00:00:00:06:01 type veth peer name eth0 address 02:00:00:00:06:02 "
	"netns %R\n"
	"link set peer0 master br0 up\n"
	"link set near0 master br0 up\n"
	"link set br0 up\n"
	"link set up0 up\n"
	"addr add 198.18.5.1/24 dev br0\n"
	"addr add fd00:5::1/64 dev br0 nodad\n"
	"addr add 198.19.1.1/24 dev up0\n"
	"addr add fd00:6::1/64 dev up0 nodad\n"
	"route add 198.19.2.0/24 via 198.19.1.2\n"
	"route add fd00:7::/64 via fd00:6::2\n"
	"neigh add 198.18.5.2 lladdr 02:00:00:00:05:02 dev br0 nud permanent\n"
	"neigh add fd00:5::2 lladdr 02:00:00:00:05:02 dev br0 nud permanent\n";
static const char *const peer_links = "link set eth0 up\n";
static const char *const near_links =
	"link set lo up\n"
	"link set eth0 up\n"
	"addr add 198.18.5.3/24 dev eth0\n"
	"addr add fd00:5::3/64 dev eth0 nodad\n"
	"route add default via 198.18.5.1\n"
	"neigh add 198.18.5.2 lladdr 02:00:00:00:05:02 dev eth0 nud permanent\n"
	"neigh add fd00:5::2 lladdr 02:00:00:00:05:02 dev eth0 nud permanent\n";
static const char *const router_links = "link set lo up\n"
					"link set eth0 up\n"
					"link add down0 type veth peer name eth0 netns %F\n"
					"link set down0 up\n"
					"addr add 198.19.1.2/24 dev eth0\n"
					"addr add fd00:6::2/64 dev eth0 nodad\n"
					"addr add 198.19.2.1/24 dev down0\n"
					"addr add fd00:7::1/64 dev down0 nodad\n"
					"route add 198.18.5.0/24 via 198.19.1.1\n"
					"route add fd00:5::/64 via fd00:6::1\n";
static const char *const far_links = "link set lo up\n"
				     "link set eth0 up\n"
				     "addr add 198.19.2.10/24 dev eth0\n"
				     "addr add fd00:7::10/64 dev eth0 nodad\n"
				     "route add default via 198.19.2.1\n"
				     "route add default via fd00:7::1\n";

static void put_batch(const struct world *w, FILE *to, const char *text)
{
	static const char letters[] = "PNRF"; /* from PLACE_PEER on */
	for (const char *at = text; *at; at++) {
		const char *place = *at == '%' ? strchr(letters, at[1]) : NULL;
		if (place) {
			(void)fprintf(to, "%d", (int)w->holder[PLACE_PEER + (place - letters)]);
			at++;
		} else {
			(void)fputc(*at, to);
		}
	}
}

static int batch(const struct world *w, enum place place, const char *text)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "nsenter --net=/proc/%d/ns/net ip -batch -",
		       (int)w->holder[place]);
	FILE *to = popen(command, "w"); /* NOLINT(cert-env33-c): constants of this test */
	if (!to)
		return say("ip");
	put_batch(w, to, text);
	return pclose(to) == 0 ? 0 : say("ip -batch");
}

/* Endpoints ignore what this test does not ask them for; tfo: 2 with listeners' consent, 0x200
 * without cookies. */
static const char *const endpoint_sysctls =
	"sysctl -qw net.ipv4.tcp_fastopen=515 net.ipv4.tcp_max_syn_backlog=512 "
	"net.ipv4.icmp_ratelimit=0 net.ipv4.tcp_invalid_ratelimit=0 "
	"net.ipv4.tcp_challenge_ack_limit=2147483647 net.ipv6.conf.eth0.router_solicitations=0";

static int set_switches(const struct world *w)
{
	int bad = world_run(w, PLACE_GATE,
			    "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
			    "net.bridge.bridge-nf-call-iptables=0 "
			    "net.bridge.bridge-nf-call-ip6tables=0");
	bad |= world_run(w, PLACE_PEER, "sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
	bad |= world_run(w, PLACE_ROUTER,
			 "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
	bad |= world_run(w, PLACE_NEAR, "%s", endpoint_sysctls);
	bad |= world_run(w, PLACE_FAR, "%s", endpoint_sysctls);
	return bad ? say("sysctl") : 0;
}

static int link_places(const struct world *w)
{
	if (world_run(w, PLACE_PEER, "sysctl -qw net.ipv6.conf.default.disable_ipv6=1") != 0)
		return say("sysctl");
	if (batch(w, PLACE_GATE, links) || batch(w, PLACE_PEER, peer_links) ||
	    batch(w, PLACE_NEAR, near_links) || batch(w, PLACE_ROUTER, router_links) ||
	    batch(w, PLACE_FAR, far_links))
		return -1;
	return set_switches(w);
}

/* ---- files ---- */

/* Ports say how closely a flow is watched: 8000 on: both sides and every request recorded; 8100 on:
 * requests only, replies are left to the kernel. A p in the path is what nobody may ask for. */
static const char *const policy_text =
	"version: 1\n"
	"mode: enforce\n"
	"manage: {interfaces: [br0]}\n"
	"docker: {enabled: false}\n"
	"inventory: inventory.yaml\n"
	"engine: {workers: 2, hold_timeout: 4s}\n"
	"rules:\n"
	"- {name: watched, from: any, to: any, app: http, port: \"8000-8099\", log: all,\n"
	"   allow: [{methods: [GET], paths: [\"/row/*\"], status: \"2??\"}]}\n"
	"- {name: requests, from: any, to: any, app: http, port: \"8100-8199\",\n"
	"   allow: [{methods: [GET], paths: [\"/row/*\"]}]}\n"
	"- {name: evil, from: any, to: any, app: http, port: \"8000-8199\",\n"
	"   deny: [{paths: [\"/row/*p*\"]}]}\n"
	"- {name: names, from: any, to: any, app: dns, port: \"5300-5399\", log: all,\n"
	"   allow: [{names: [\"o*.test\"]}]}\n";

static const char *const inventory_text = "endpoints:\n"
					  "- {ips: [198.18.5.2, \"fd00:5::2\"], container: peer, "
					  "mac: \"02:00:00:00:05:02\"}\n"
					  "- {ips: [198.18.5.3, \"fd00:5::3\"], container: near, "
					  "mac: \"02:00:00:00:05:03\"}\n"
					  "networks:\n"
					  "- {name: lab, bridge: br0, subnets: [198.18.5.0/24, "
					  "\"fd00:5::/64\"], gateways: [198.18.5.1, "
					  "\"fd00:5::1\"]}\n";

static int write_file(const struct world *w, const char *name, const char *text)
{
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	FILE *to = fopen(path, "we");
	if (!to || fputs(text, to) < 0 || fclose(to) != 0)
		return say(path);
	return 0;
}

int world_make(struct world *w, const char *build)
{
	*w = (struct world){.build = build, .dir = "/tmp/bw-evasion-XXXXXX"};
	for (unsigned i = 0; i < N_PLACES; i++)
		w->ns[i] = -1;
	if (!mkdtemp(w->dir) || chmod(w->dir, 0755) != 0)
		return say("temporary directory");
	for (unsigned i = 0; i < N_PLACES; i++)
		if (make_place(w, (enum place)i))
			return -1;
	if (link_places(w))
		return -1;
	return write_file(w, "policy.yaml", policy_text) ||
	       write_file(w, "inventory.yaml", inventory_text);
}

static void end(pid_t pid, int signal)
{
	if (pid <= 0)
		return;
	(void)kill(pid, signal);
	(void)waitpid(pid, NULL, 0);
}

void world_unmake(struct world *w, bool keep_dir)
{
	world_stop_daemon(w);
	for (unsigned i = 0; i < N_PLACES; i++) {
		end(w->holder[i], SIGKILL);
		if (w->ns[i] >= 0)
			(void)close(w->ns[i]);
	}
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -r '%s'", w->dir);
	if (keep_dir)
		(void)fprintf(stderr, "records and log: %s\n", w->dir);
	else
		(void)!system(command); /* NOLINT(cert-env33-c): our own directory */
}

/* ---- the daemon ---- */

static void become_daemon(const struct world *w)
{
	char config[128], run[128], eve[128], log[128], program[512];
	(void)snprintf(config, sizeof(config), "%s/policy.yaml", w->dir);
	(void)snprintf(run, sizeof(run), "%s/run", w->dir);
	(void)snprintf(eve, sizeof(eve), "%s/eve.json", w->dir);
	(void)snprintf(log, sizeof(log), "%s/log", w->dir);
	(void)snprintf(program, sizeof(program), "%s/bridgewardend", w->build);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (world_enter(w, PLACE_GATE) || !freopen(log, "a", stderr))
		_exit(99);
	(void)execl(program, program, "--config", config, "--runtime-dir", run, "--eve", eve,
		    (char *)NULL);
	(void)say(program);
	_exit(99);
}

static bool is_ready(const struct world *w)
{
	return world_run(w, PLACE_GATE,
			 "%s/bridgewarden status --runtime-dir %s/run >/dev/null 2>&1", w->build,
			 w->dir) == 0;
}

int world_start_daemon(struct world *w)
{
	w->daemon = fork();
	if (w->daemon == 0)
		become_daemon(w);
	for (int i = 0; i < 200; i++) {
		if (is_ready(w))
			return 0;
		if (waitpid(w->daemon, NULL, WNOHANG) == w->daemon)
			break;
		(void)usleep(50000);
	}
	(void)fprintf(stderr, "bw-evasion: bridgewardend did not start, see %s/log\n", w->dir);
	return -1;
}

void world_stop_daemon(struct world *w)
{
	end(w->daemon, SIGTERM);
	w->daemon = 0;
}

int world_kill_engine(struct world *w)
{
	int bad =
		world_run(w, PLACE_GATE,
			  "sh -c 'kill -9 $(%s/bridgewarden status --runtime-dir %s/run -o json | "
			  "sed -n \"s/.*\\\"engine_pid\\\": *\\([0-9]*\\).*/\\1/p\")'",
			  w->build, w->dir);
	for (int i = 0; !bad && i < 100; i++) {
		(void)usleep(20000);
		if (is_ready(w))
			return 0;
	}
	return -1;
}
