#!/usr/bin/env bash
# A dissector is a function of state and input: it calls nothing but mem*, and has no data that it could write.
set -euo pipefail
archive=$1
nm_out=$(nm "$archive" 2>/dev/null)
[ -n "$nm_out" ] || { echo "purity: nm shows no symbols in $archive"; exit 1; }

defined=$(awk 'NF == 3 && $2 ~ /[TtRrDdBb]/ { print $3 }' <<<"$nm_out" | sort -u)
undefined=$(awk '$1 == "U" { print $2 }' <<<"$nm_out" | sort -u)
allowed='^(mem(cpy|move|set|cmp|chr|mem|rchr)|__mem(cpy|move|set)_chk|__stack_chk_fail|strlen|_GLOBAL_OFFSET_TABLE_)$'
bad=$(comm -23 <(echo "$undefined") <(echo "$defined") | grep -vE "$allowed" || true)
writable=$(awk 'NF == 3 && $2 ~ /^[DdBbCGSs]$/ { print $2, $3 }' <<<"$nm_out" | sort -u)

# Tables of pointers are data that the dynamic linker fills in once; they must lie in read-only memory afterwards.
relro=$(objdump -t "$archive" | awk '/\.data\.rel\.ro/ { print $NF }' | sort -u)
writable=$(while read -r kind name; do
	[ -z "$name" ] || grep -qxF "$name" <<<"$relro" || echo "$kind $name"
done <<<"$writable")

[ -z "$bad" ] || { echo "purity: proto/ calls what it must not:"; echo "$bad"; }
[ -z "$writable" ] || { echo "purity: proto/ has writable data:"; echo "$writable"; }
[ -z "$bad$writable" ]
