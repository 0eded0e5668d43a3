# The data that queries are checked against. Sourced after servers.sh, not run. Needs a PostgreSQL that start_postgres has started.

# Checks the queries against a migrated database, and writes their data to $1, an absolute path. The rest are the words of
# cargo: `check --lib` unless others are given.
write_query_data() {
    local data=$1 status=0 modified source sources='backend/src/lib.rs backend/src/infrastructure/mod.rs'
    shift
    [ $# -gt 0 ] || set -- check --lib
    create_migrated_database query_data
    # The compiler looks at the queries of both crates again, and other builds do not: for them the sources have not changed.
    modified=$(mktemp -d "${TMPDIR:-/tmp}/modified.XXXXXX")
    for source in $sources; do
        touch -r "$source" "$modified/${source//\//-}"
        touch "$source"
    done
    DATABASE_URL="$POSTGRES_URL/query_data" SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$data \
        cargo "$1" --quiet --locked "${@:2}" || status=$?
    for source in $sources; do touch -r "$modified/${source//\//-}" "$source"; done
    rm -rf "$modified"
    return "$status"
}

# Creates a database with all tables: those of the migrations, and those that tests add in a folder of their own. Migrations
# are applied in the order of their names, whatever the folder.
create_migrated_database() {
    local migration
    private_psql -d postgres -c "CREATE DATABASE $1"
    find migrations backend/tests -path '*migrations/*.up.sql' | awk -F/ '{ print $NF "\t" $0 }' | sort | cut -f 2 |
        while read -r migration; do
            # Some migrations select a function that they call.
            private_psql -d "$1" -f "$migration" >/dev/null
        done
}
