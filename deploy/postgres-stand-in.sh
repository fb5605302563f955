#!/usr/bin/env bash
# The entry point of the image that stands in for the official one of PostgreSQL, where that one cannot be
# pulled. It does what the official one does for the variables that compose.yaml sets.
set -euo pipefail

if ! [ -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD:?set a password for the database}"
  # Unlike the official one it asks for the password on the loopback too, over which the trial's services come.
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
    --auth-local=trust --auth-host=scram-sha-256
  printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
  # As in the official one, the first server is reached through its socket alone.
  pg_ctl --wait --options="-c listen_addresses=''" start
  createdb --username="$POSTGRES_USER" --maintenance-db=postgres "$POSTGRES_DB"
  pg_ctl --wait --mode=fast stop
fi
exec postgres -c listen_addresses='*' "$@"
