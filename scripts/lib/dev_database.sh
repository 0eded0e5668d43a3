# The database of ./scripts/dev, used from another script. Sourced after servers.sh, not run.

# Takes the migration of a removed module back where ./scripts/dev has applied it: its number, and a file with the statements of
# its .down.sql. Else the next start would find a table that nothing knows, and a module that is added again under the number
# would not fit it.
take_back_in_dev_database() {
    local number=$1 statements=$2 directory=$root/.dev/postgres owner is_started=
    [ -d "$directory" ] || return 0
    has_postgres || return 0
    KEPT_PORTS=$root/.dev/ports
    owner=$(cat .dev/lock/pid 2>/dev/null || true)
    if [ -n "$owner" ] && kill -0 "$owner" 2>/dev/null; then
        # It runs, so its server is used, and goes on.
        POSTGRES_PORT=$(kept_port postgres)
        POSTGRES_PASSWORD=$(cat "$(postgres_directory "$directory")/password")
    else
        start_postgres "$directory"
        is_started=yes
    fi
    if has_applied "$number"; then
        private_psql -d "$database" --single-transaction -f "$statements" \
            -c "DELETE FROM _sqlx_migrations WHERE version = $number" >/dev/null ||
            fail "its table is still in the database of ./scripts/dev: ./scripts/dev --reset begins without it"
        say "took its table out of the database of ./scripts/dev"
    fi
    [ -z "$is_started" ] || stop_servers
}

# Whether a migration of this number is applied in the database of development.
has_applied() {
    local table="SELECT count(*) FROM pg_database WHERE datname = '$database'"
    [ "$(private_psql -d postgres -At -c "$table")" = 1 ] &&
        [ "$(private_psql -d "$database" -At -c "SELECT to_regclass('_sqlx_migrations') IS NOT NULL")" = t ] &&
        [ "$(private_psql -d "$database" -At -c "SELECT count(*) FROM _sqlx_migrations WHERE version = $1")" = 1 ]
}
