# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the entry points in this folder share: where things are, how to speak, how to stop.

# shellcheck disable=SC2034 # used by those who source this
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }

die() {
	say "$(basename "$0"): $*"
	exit 1
}

# The first comment block of the script is its help.
usage() {
	awk 'NR > 1 && !/^#/ {exit} NR > 2 {sub(/^# ?/, ""); print}' "$0"
}

need_root() { [[ $(id -u) == 0 ]] || die "needs root: sudo tools/$(basename "$0")"; }

# build PRESET [TARGET...]: configures and compiles; quiet unless it fails.
build() {
	local log target targets=()
	for target in "${@:2}"; do targets+=(--target "$target"); done
	log=$(mktemp)
	say "building preset $1"
	if ! { cmake --preset "$1" -S "$TOP" && cmake --build "$TOP/build/$1" -j "$(nproc)" "${targets[@]}"; } >"$log" 2>&1; then
		tail -n 60 "$log" >&2
		rm -f "$log"
		die "the build of preset $1 failed"
	fi
	rm -f "$log"
}
