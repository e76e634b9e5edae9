/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applies, checks and removes. The rules go in and out in one iptables-restore per family, so that
 * there is never half of them; what iptables-save shows afterwards is kept, and a check compares
 * with that.
 *
 * Order matters: rules first, switches last, so that a bridge's packets do not meet a ruleset that
 * is not there yet; on the way out the other way round does no harm. The state file is written
 * before a switch is turned.
 *
 * Docker calls `iptables` from its PATH, so that is ours too, unless Docker's chains are found in
 * the other backend only.
 */
#include "firewall/firewall.h"

#include "base/log.h"
#include "firewall/bridge.h"
#include "firewall/portguard.h"
#include "firewall/rules.h"
#include "firewall/run.h"
#include "firewall/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BRIDGE_SYSCTLS "/proc/sys/net/bridge"

/* The backends, by what stands between "iptables" and "-save". */
enum backend { BACKEND_PLAIN, BACKEND_NFT, BACKEND_LEGACY, N_BACKENDS };
static const char *const backend_infix[N_BACKENDS] = {"", "-nft", "-legacy"};
static const char *const family_program[N_RULES_FAMILIES] = {"iptables", "ip6tables"};

struct firewall {
	char *state_path;
	struct state state;
	/* The last plan, as far as a check needs it. */
	bool is_applied;
	char (*interfaces)[IFNAMSIZ];
	size_t n_interfaces;
	bool is_enforced;
	enum backend backend;
	char *expected[N_RULES_FAMILIES]; /* our chains as iptables-save showed them; NULL: family
					     not in use */
	bool has_number;
	uint32_t number; /* of the nftables ruleset when it was last seen to be right */
	struct portguard ports;
};

/* ---- iptables ---- */

/* "/usr/sbin/iptables-nft-save" */
static bool find_program(enum backend backend, enum rules_family family, const char *verb,
			 char path[RUN_PATH_SIZE])
{
	char name[32];
	(void)snprintf(name, sizeof(name), "%s%s-%s", family_program[family],
		       backend_infix[backend], verb); /* fits */
	return run_find(name, path);
}

/* To read a table that is not there yet would make it: the legacy program then shows on every host
 * as in use. */
static bool legacy_has_table(enum rules_family family, const char *table)
{
	char line[64];
	bool found = false;
	FILE *from = fopen(family == RULES_V4 ? "/proc/net/ip_tables_names"
					      : "/proc/net/ip6_tables_names",
			   "re");
	while (from && !found && fgets(line, sizeof(line), from)) {
		line[strcspn(line, "\n")] = '\0';
		found = strcmp(line, table) == 0;
	}
	if (from)
		(void)fclose(from); /* was only read */
	return found;
}

/* *text is NULL when there is nothing to save from: no such program or table. */
static int save_table(enum backend backend, enum rules_family family, const char *table,
		      char **text, struct error *err)
{
	char path[RUN_PATH_SIZE];
	*text = NULL;
	if (!find_program(backend, family, "save", path))
		return 0;
	if (backend == BACKEND_LEGACY && !legacy_has_table(family, table))
		return 0;
	const char *const argv[] = {path, "-t", table, NULL};
	return run_program(argv, NULL, text, err);
}

static int read_present(enum backend backend, enum rules_family family, struct rules_present *out,
			char **text, struct error *err)
{
	*out = (struct rules_present){0};
	int r = save_table(backend, family, "mangle", text, err);
	if (r < 0)
		return r;
	r = rules_parse(bytes_str(*text ? *text : ""), out);
	if (r == 0)
		return 0;
	free(*text);
	*text = NULL;
	return error_set(err, r, "out of memory");
}

static int restore(enum backend backend, enum rules_family family, const char *input,
		   struct error *err)
{
	char path[RUN_PATH_SIZE];
	if (!find_program(backend, family, "restore", path))
		return error_set(err, -ENOENT,
				 "%s%s-restore is not installed: install the package 'iptables'",
				 family_program[family], backend_infix[backend]);
	const char *const argv[] = {path, "--noflush", "-w", "5", NULL};
	return run_program(argv, input, NULL, err);
}

static bool has_docker(enum backend backend)
{
	char *text;
	if (save_table(backend, RULES_V4, "filter", &text, NULL) < 0 || !text)
		return false;
	bool found = strstr(text, "\n:DOCKER") != NULL;
	free(text);
	return found;
}

static enum backend choose_backend(void)
{
	for (enum backend b = BACKEND_PLAIN; b < N_BACKENDS; b++)
		if (has_docker(b))
			return b;
	return BACKEND_PLAIN;
}

/* A kernel without IPv6 has nothing to guard there. */
static bool family_is_used(enum rules_family family)
{
	return family == RULES_V4 || access("/proc/net/if_inet6", F_OK) == 0;
}

/* ---- rules ---- */

static int apply_once(enum backend backend, enum rules_family family,
		      const struct firewall_plan *plan, struct error *err)
{
	struct rules_present present;
	char *save, *input = NULL;
	int r = read_present(backend, family, &present, &save, err);
	if (r < 0)
		return r;
	r = rules_print(plan, family, &present, &input);
	if (r < 0)
		error_set(err, r, "out of memory");
	else
		r = restore(backend, family, input, err);
	free(input);
	free(save);
	rules_present_fini(&present);
	return r;
}

/* Remembers what a check will want to see. */
static int remember(struct firewall *fw, enum rules_family family, struct error *err)
{
	struct rules_present present;
	char *save;
	int r = read_present(fw->backend, family, &present, &save, err);
	if (r < 0)
		return r;
	if (!present.is_in_place)
		r = error_set(err, -EAGAIN,
			      "%s: somebody else changes the mangle table at this moment",
			      family_program[family]);
	if (!save || !strstr(save, "(nf_tables)"))
		fw->has_number = false;
	if (r == 0) {
		fw->expected[family] = present.ours;
		present.ours = NULL;
	}
	free(save);
	rules_present_fini(&present);
	return r;
}

/* A kernel without xt_CHECKSUM refuses all of our rules for it. */
static int apply_without_fill(const struct firewall *fw, enum rules_family family,
			      const struct firewall_plan *plan, struct error *err)
{
	struct error why = *err;
	struct firewall_plan less = *plan;
	less.is_unfilled = true;
	int r = apply_once(fw->backend, family, &less, err);
	if (r == 0)
		log_warn("firewall: checksums cannot be finished before a packet is judged, so "
			 "where no hardware does it a container can change two bytes afterwards; "
			 "the kernel lacks xt_CHECKSUM? (%s)",
			 why.text);
	return r;
}

/* Between reading and writing somebody may have removed a jump that our input deletes: once more.
 */
static int apply_family(struct firewall *fw, enum rules_family family,
			const struct firewall_plan *plan, struct error *err)
{
	free(fw->expected[family]);
	fw->expected[family] = NULL;
	if (!family_is_used(family))
		return 0;
	int r = apply_once(fw->backend, family, plan, err);
	if (r == -EIO)
		r = apply_once(fw->backend, family, plan, err);
	if (r == -EIO && plan->is_enforced)
		r = apply_without_fill(fw, family, plan, err);
	return r < 0 ? r : remember(fw, family, err);
}

static int remove_family(enum backend backend, enum rules_family family, struct error *err)
{
	struct rules_present present;
	char *save, *input = NULL;
	int r = read_present(backend, family, &present, &save, err);
	if (r < 0)
		return r;
	if (present.has_any) {
		r = rules_print_removal(&present, &input);
		if (r < 0)
			error_set(err, r, "out of memory");
		else
			r = restore(backend, family, input, err);
	}
	free(input);
	free(save);
	rules_present_fini(&present);
	return r;
}

/* Everywhere: a former daemon may have used another backend. */
static int remove_rules(struct error *err)
{
	int failed = 0;
	for (enum backend b = BACKEND_PLAIN; b < N_BACKENDS; b++) {
		for (enum rules_family f = RULES_V4; f < N_RULES_FAMILIES; f++) {
			int r = family_is_used(f) ? remove_family(b, f, err) : 0;
			if (r < 0)
				failed = r;
		}
	}
	return failed;
}

/* Does this family still show what it showed after the last apply? 0, 1 or negative errno. */
static int check_family(const struct firewall *fw, enum rules_family family, struct error *err)
{
	struct rules_present present;
	char *save;
	if (!fw->expected[family])
		return 0;
	int r = read_present(fw->backend, family, &present, &save, err);
	if (r < 0)
		return r;
	bool is_same = present.is_in_place && strcmp(present.ours, fw->expected[family]) == 0;
	free(save);
	rules_present_fini(&present);
	return is_same ? 0 : 1;
}

static int check_rules(struct firewall *fw, struct error *err)
{
	uint32_t number = 0;
	bool has_number = fw->has_number && bridge_ruleset_number(&number) == 0;
	if (has_number && number == fw->number)
		return 0;
	for (enum rules_family f = RULES_V4; f < N_RULES_FAMILIES; f++) {
		int r = check_family(fw, f, err);
		if (r != 0)
			return r;
	}
	fw->number = number;
	return 0;
}

static int apply_rules(struct firewall *fw, const struct firewall_plan *plan, struct error *err)
{
	fw->backend = choose_backend();
	for (enum rules_family f = RULES_V4; f < N_RULES_FAMILIES; f++) {
		int r = apply_family(fw, f, plan, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- bridge switches ---- */

static void write_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		log_errno(errno, "firewall: %s stays as it is", path);
	if (fd >= 0)
		(void)close(fd); /* procfs: write has told */
}

/* Loading the module turns every bridge of the host on at once: back to how it was, ours are turned
 * on one by one. */
static int need_br_netfilter(struct error *err)
{
	static const char *const host_wide[] = {
		BRIDGE_SYSCTLS "/bridge-nf-call-iptables",
		BRIDGE_SYSCTLS "/bridge-nf-call-ip6tables",
		BRIDGE_SYSCTLS "/bridge-nf-call-arptables",
	};
	char modprobe[RUN_PATH_SIZE];
	if (access(BRIDGE_SYSCTLS, F_OK) == 0)
		return 0;
	if (run_find("modprobe", modprobe)) {
		const char *const argv[] = {modprobe, "br_netfilter", NULL};
		(void)run_program(argv, NULL, NULL, NULL); /* whether it helped is asked below */
	}
	if (access(BRIDGE_SYSCTLS, F_OK) != 0)
		return error_set(err, -ENOSYS,
				 "the kernel has no br_netfilter, so traffic between containers of "
				 "one bridge cannot be seen: "
				 "run 'modprobe br_netfilter' on the host");
	for (size_t i = 0; i < sizeof(host_wide) / sizeof(host_wide[0]); i++)
		write_sysctl(host_wide[i], "0");
	return 0;
}

static int read_bridge(const char *name, struct bridge_switches *out, struct error *err)
{
	int r = bridge_read(name, out);
	if (r < 0 && r != -ENODEV && r != -ENOTSUP)
		error_set(err, r, "bridge %s: %s", name, strerror(-r));
	return r;
}

/* A bridge made anew under an old name starts with switches of its own. */
static int note_bridge(struct firewall *fw, const char *name, bool *is_new, struct error *err)
{
	struct bridge_switches now;
	int r = read_bridge(name, &now, err);
	if (r == -ENODEV || r == -ENOTSUP)
		return 0;
	if (r < 0)
		return r;
	const struct state_bridge *known = state_find(&fw->state, name);
	if (known && known->before.ifindex == now.ifindex)
		return 0;
	*is_new = true;
	return state_put(&fw->state, name, &now) < 0 ? error_set(err, -ENOMEM, "out of memory") : 0;
}

static bool is_on(const struct firewall *fw, const struct bridge_switches *now)
{
	return now->ipv4 == 1 && now->ipv6 == 1 &&
	       (!fw->is_enforced || !now->has_no_ll_learn || now->no_ll_learn == 1);
}

static int turn_on(const struct firewall *fw, const char *name, struct error *err)
{
	struct bridge_switches now;
	int r = read_bridge(name, &now, err);
	if (r == -ENODEV || r == -ENOTSUP)
		return 0;
	if (r < 0 || is_on(fw, &now))
		return r;
	now.ipv4 = now.ipv6 = 1;
	if (fw->is_enforced)
		now.no_ll_learn = 1;
	r = bridge_write(&now);
	return r < 0 ? error_set(err, r, "bridge %s: nf_call_iptables: %s", name, strerror(-r)) : 0;
}

static int put_back(const struct state_bridge *bridge, struct error *err)
{
	struct bridge_switches now;
	int r = read_bridge(bridge->name, &now, err);
	if (r == -ENODEV || r == -ENOTSUP || (r == 0 && now.ifindex != bridge->before.ifindex))
		return 0;
	struct bridge_switches before = bridge->before;
	before.has_no_ll_learn = now.has_no_ll_learn;
	if (r == 0)
		r = bridge_write(&before);
	return r < 0 ? error_set(err, r, "bridge %s: nf_call_iptables: %s", bridge->name,
				 strerror(-r))
		     : 0;
}

static bool is_planned(const struct firewall *fw, const char *name)
{
	for (size_t i = 0; i < fw->n_interfaces; i++)
		if (strcmp(fw->interfaces[i], name) == 0)
			return true;
	return false;
}

/* Those that are managed no more get their own switches again. */
static int release_bridges(struct firewall *fw, bool *is_new, struct error *err)
{
	for (size_t i = fw->state.n; i-- > 0;) {
		struct state_bridge *b = &fw->state.bridges[i];
		if (is_planned(fw, b->name))
			continue;
		int r = put_back(b, err);
		if (r < 0)
			return r;
		state_remove(&fw->state, b);
		*is_new = true;
	}
	return 0;
}

static int apply_bridges(struct firewall *fw, struct error *err)
{
	bool is_new = false;
	int r = release_bridges(fw, &is_new, err);
	for (size_t i = 0; i < fw->n_interfaces && r == 0; i++)
		r = note_bridge(fw, fw->interfaces[i], &is_new, err);
	if (r == 0 && is_new)
		r = state_save(fw->state_path, &fw->state, err);
	if (r == 0 && fw->state.n > 0)
		r = need_br_netfilter(err);
	for (size_t i = 0; i < fw->n_interfaces && r == 0; i++)
		r = turn_on(fw, fw->interfaces[i], err);
	return r;
}

/* 0, 1 or negative errno. */
static int check_bridges(const struct firewall *fw, struct error *err)
{
	for (size_t i = 0; i < fw->n_interfaces; i++) {
		struct bridge_switches now;
		int r = read_bridge(fw->interfaces[i], &now, err);
		if (r == -ENODEV || r == -ENOTSUP)
			continue;
		if (r < 0)
			return r;
		const struct state_bridge *known = state_find(&fw->state, fw->interfaces[i]);
		if (!known || known->before.ifindex != now.ifindex || !is_on(fw, &now))
			return 1;
	}
	return 0;
}

static int restore_bridges(struct firewall *fw, struct error *err)
{
	int failed = 0;
	for (size_t i = 0; i < fw->state.n; i++) {
		int r = put_back(&fw->state.bridges[i], err);
		if (r < 0)
			failed = r;
	}
	if (failed < 0)
		return failed;
	state_fini(&fw->state);
	return state_save(fw->state_path, &fw->state, err);
}

/* ---- the whole ---- */

int firewall_new(const char *state_path, struct firewall **out, struct error *err)
{
	struct firewall *fw = calloc(1, sizeof(*fw));
	if (!fw || !(fw->state_path = strdup(state_path))) {
		firewall_free(fw);
		return error_set(err, -ENOMEM, "out of memory");
	}
	int r = state_load(state_path, &fw->state, err);
	if (r < 0) {
		firewall_free(fw);
		return r;
	}
	*out = fw;
	return 0;
}

static int keep_interfaces(struct firewall *fw, const struct firewall_plan *plan, struct error *err)
{
	void *copy = calloc(plan->n_interfaces + 1, sizeof(*fw->interfaces));
	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	if (plan->n_interfaces > 0)
		memcpy(copy, plan->interfaces, plan->n_interfaces * sizeof(*fw->interfaces));
	free(fw->interfaces);
	fw->interfaces = copy;
	fw->n_interfaces = plan->n_interfaces;
	return 0;
}

int firewall_apply(struct firewall *fw, const struct firewall_plan *plan, struct error *err)
{
	int r = rules_check_plan(plan, err);
	if (r == 0)
		r = keep_interfaces(fw, plan, err);
	if (r < 0)
		return r;
	fw->is_applied = false;
	fw->is_enforced = plan->is_enforced;
	fw->has_number = true; /* until a backend is seen that has none */
	r = apply_rules(fw, plan, err);
	if (r == 0)
		r = apply_bridges(fw, err);
	if (r < 0)
		return r;
	fw->is_applied = true;
	fw->number = 0; /* the next check looks at the rules once: others may have changed them
			   meanwhile */
	return 0;
}

int firewall_check(struct firewall *fw, struct error *err)
{
	if (!fw->is_applied)
		return 0;
	int r = check_rules(fw, err);
	if (r == 0)
		r = portguard_check(&fw->ports, err);
	return r != 0 ? r : check_bridges(fw, err);
}

int firewall_bind_ports(struct firewall *fw, const struct ports_plan *plan, struct error *err)
{
	return portguard_apply(&fw->ports, plan, err);
}

int firewall_release_ports(struct firewall *fw, struct error *err)
{
	return portguard_remove(&fw->ports, err);
}

void firewall_read_drops(struct ports_drops *out)
{
	portguard_drops(out);
}

int firewall_remove(struct firewall *fw, struct error *err)
{
	int ports = portguard_remove(&fw->ports, err);
	int rules = remove_rules(err);
	int bridges = restore_bridges(fw, err);
	fw->is_applied = false;
	if (ports < 0)
		return ports;
	return rules < 0 ? rules : bridges;
}

void firewall_free(struct firewall *fw)
{
	if (!fw)
		return;
	for (size_t i = 0; i < N_RULES_FAMILIES; i++)
		free(fw->expected[i]);
	state_fini(&fw->state);
	portguard_fini(&fw->ports);
	free(fw->interfaces);
	free(fw->state_path);
	free(fw);
}
