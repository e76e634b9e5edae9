#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Lists what labs left on this machine: namespaces, veth legs, cgroups, directories, mounts, processes and
# firewall rules. Exit status 1 when there is anything. Labs that are still running are not leftovers.
# It only looks; a later lab_up sweeps away what it can.
set -euo pipefail

found=0

report() {
	printf 'left over: %s\n' "$*"
	found=1
}

# A lab's tag is bw-PID: it runs as long as that process does.
runs() { [[ -n $1 && -d /proc/$1 ]]; }

pid_of() { [[ ! $1 =~ bw-(lab-)?([0-9]+) ]] || printf '%s\n' "${BASH_REMATCH[2]}"; }

check_list() {
	local what=$1 line
	while read -r line; do
		[[ -z $line ]] || runs "$(pid_of "$line")" || report "$what $line"
	done
}

namespaces() { ip netns list 2>/dev/null | awk '/^bw-[0-9]+-/ {print $1}'; }
cgroups() { find /sys/fs/cgroup -type d -name 'bw-lab-*' 2>/dev/null; }
directories() { find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'bw-[0-9]*-??????'; }
mounts() { awk '$2 ~ /\/bw-[0-9]+-/ {print $2}' /proc/mounts; }

# Processes of a lab name its directory on their command line (dockerd, containerd, shims, the daemon, servers).
processes() {
	local dir line
	for dir in /proc/[0-9]*; do
		line=$(tr "\0" " " 2>/dev/null <"$dir/cmdline") || continue
		[[ ! $line =~ /bw-[0-9]+-[A-Za-z0-9]{6}/ ]] ||
			printf '%s process %s: %s\n' "${BASH_REMATCH[0]}" "${dir##*/}" "${line:0:80}"
	done
}

# The machine's own tables are only read: no lab and no test may ever put a chain of ours there.
rules() {
	local tool
	for tool in iptables-save ip6tables-save; do
		command -v "$tool" >/dev/null || continue
		"$tool" -t mangle 2>/dev/null | grep BRIDGEWARDEN | sed "s/^/$tool: /" || true
	done
}

check_list namespace < <(namespaces)
check_list cgroup < <(cgroups)
check_list directory < <(directories)
check_list mount < <(mounts)
check_list 'program of' < <(processes)
check_list rule < <(rules)
((found)) || printf 'nothing left over\n'
exit "$found"
