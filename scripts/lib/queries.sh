# The data that queries are checked against. Sourced after servers.sh, not run. Needs a PostgreSQL that start_postgres has started.

# Checks the queries against a migrated database, and writes their data to $1, an absolute path. The rest are the words of
# cargo: `check --lib` unless others are given.
write_query_data() {
    local migration data=$1
    shift
    [ $# -gt 0 ] || set -- check --lib
    private_psql -d postgres -c 'CREATE DATABASE query_data'
    for migration in migrations/*.up.sql; do
        private_psql -d query_data -f "$migration"
    done
    touch backend/src/lib.rs
    DATABASE_URL="$POSTGRES_URL/query_data" SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$data \
        cargo "$@" --quiet --locked
}
