#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tables that the dissector finds in a statement against those that a real PostgreSQL server touches. The server listens
# on a socket of its own folder only.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
PROGRAM=${BW_BUILD_DIR:?}/tests/test_pgsql
SERVER_BIN=$(find /usr/lib/postgresql/*/bin -maxdepth 0 2>/dev/null | sort -V | tail -n 1) || true
if [[ -z $SERVER_BIN || $(id -u) != 0 ]] || ! id postgres >/dev/null 2>&1; then
	echo "skipped: needs root and an installed postgresql"
	exit 77
fi
DIR=$(mktemp -d /tmp/bw-postgres-XXXXXX)
chown postgres "$DIR"

as_server() {
	setpriv --reuid postgres --regid postgres --clear-groups env -C "$DIR" "$@"
}

clean_up() {
	as_server "$SERVER_BIN/pg_ctl" -D "$DIR/data" -m immediate stop >/dev/null 2>&1 || true
	rm -rf "$DIR"
}
trap clean_up EXIT

as_server "$SERVER_BIN/initdb" -D "$DIR/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 >"$DIR/initdb.log"
as_server "$SERVER_BIN/pg_ctl" -D "$DIR/data" -w -l "$DIR/server.log" start \
	-o "-c listen_addresses= -c unix_socket_directories=$DIR -c fsync=off" >/dev/null
python3 "$HERE/postgres_tables.py" "$PROGRAM" "$SERVER_BIN/psql" "$DIR" "${BW_SEED:-1}" "${BW_MUTANTS:-8000}"
