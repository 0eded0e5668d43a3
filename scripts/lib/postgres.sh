# A private PostgreSQL. Sourced by servers.sh, not run.
#
# It listens on 127.0.0.1 only, without a socket, and requires a password, so that other users of the machine have no
# access. Its locale is UTF-8, like that of the image: upper and lower case match in every alphabet.

POSTGRES_DATA=

# The directory that contains all of PostgreSQL's programs. The PATH may contain links to some of them only, and the
# directories of Debian and Homebrew are not on it.
postgres_bin() {
    local on_path directory
    on_path=$(command -v pg_ctl || true)
    for directory in "${on_path%/*}" /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin \
        /usr/local/opt/postgresql*/bin; do
        if [ -x "$directory/pg_ctl" ] && [ -x "$directory/initdb" ] && [ -x "$directory/psql" ]; then
            printf '%s\n' "$directory"
        fi
    done | sort -V | tail -n 1
}

has_postgres() { [ -n "$(postgres_bin)" ]; }

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# The directory that PostgreSQL really uses, for a wanted one: as root its files belong to another user, who cannot enter
# a project below a private home.
postgres_directory() {
    local directory=$1
    (umask 077 && mkdir -p "$directory")
    if [ "$(id -u)" = 0 ]; then
        chown postgres "$directory"
        if ! as_postgres test -w "$directory" 2>/dev/null; then
            directory="/var/tmp/backend-postgres-$(printf '%s' "$directory" | cksum | cut -d ' ' -f 1)"
            # Every user may make a directory there. One of another owner is not used.
            if mkdir -m 700 "$directory" 2>/dev/null; then
                chown postgres "$directory"
            elif [ -L "$directory" ] || [ "$(stat -c %U "$directory")" != postgres ]; then
                fail "$directory does not belong to the user postgres: remove it"
            fi
        fi
    fi
    printf '%s\n' "$directory"
}

# Removes the databases that are kept in a directory.
forget_postgres() {
    local directory
    directory=$(postgres_directory "$1")
    rm -rf "${directory:?}/data" "$directory/password"
}

# Creates a database in a directory, with a random password, in the first UTF-8 locale of this machine.
create_postgres() {
    local directory=$1 bin=$2 options
    (umask 077 && random_password >"$directory/password")
    [ "$(id -u)" != 0 ] || chown postgres "$directory/password"
    for options in --locale=C.UTF-8 --locale=en_US.UTF-8 '--locale-provider=icu --icu-locale=und --locale=C'; do
        rm -rf "${directory:?}/data"
        # shellcheck disable=SC2086 # The options are words.
        if (cd / && as_postgres "$bin/initdb" -D "$directory/data" -U postgres -A scram-sha-256 \
            --pwfile="$directory/password" -E UTF8 $options >"$directory/initdb.log" 2>&1); then
            return 0
        fi
    done
    cat "$directory/initdb.log" >&2
    rm -rf "${directory:?}/data" "$directory/password"
    fail "the database could not be set up in $directory"
}

# Starts PostgreSQL with its files in the directory, and with further options of its program. Sets
# POSTGRES_PORT, POSTGRES_PASSWORD, and POSTGRES_URL, to which the name of a database is added.
start_postgres() {
    local directory bin is_new= attempt
    directory=$(postgres_directory "$1")
    shift
    bin=$(postgres_bin)
    POSTGRES_DATA="$directory/data"
    if ! as_postgres test -e "$POSTGRES_DATA/PG_VERSION"; then
        create_postgres "$directory" "$bin"
        is_new=yes
    elif [ ! -e "$directory/password" ]; then
        POSTGRES_DATA=
        fail "the database in $directory is open to other users of this machine, since an earlier version of this script made it: ./scripts/dev --reset begins with an empty one"
    fi
    POSTGRES_PASSWORD=$(cat "$directory/password")
    # A killed script may have left a server running.
    (cd / && as_postgres "$bin/pg_ctl" -D "$POSTGRES_DATA" -m fast -w stop >/dev/null 2>&1) || true
    for attempt in 1 2 3; do
        POSTGRES_PORT=$(choose_port postgres "$attempt")
        if (cd / && as_postgres "$bin/pg_ctl" -D "$POSTGRES_DATA" -l "$directory/log" -w -t 60 \
            -o "-p $POSTGRES_PORT -c unix_socket_directories='' -c listen_addresses=127.0.0.1 $*" start >/dev/null); then
            keep_port postgres "$POSTGRES_PORT"
            POSTGRES_URL="postgres://postgres:$POSTGRES_PASSWORD@127.0.0.1:$POSTGRES_PORT"
            [ -z "$is_new" ] || require_letters
            return 0
        fi
    done
    as_postgres cat "$directory/log" >&2 || true
    POSTGRES_DATA=
    fail "PostgreSQL did not start; its log is above. If it says that the files are of another version, ./scripts/dev --reset begins with an empty database"
}

# Runs psql on the private PostgreSQL, quietly, until the first error. The password is not an argument: other users can
# see arguments.
private_psql() {
    PGPASSWORD=$POSTGRES_PASSWORD "$(postgres_bin)/psql" -X -q -v ON_ERROR_STOP=1 \
        -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres "$@"
}

# Fails unless the locale has letters beyond ASCII.
require_letters() {
    [ "$(private_psql -d postgres -At -c "SELECT U&'\\00C4' ILIKE U&'\\00E4'")" = t ] ||
        fail "this PostgreSQL has no locale with letters beyond ASCII: install the locale en_US.UTF-8"
}

stop_postgres() {
    [ -n "$POSTGRES_DATA" ] || return 0
    (cd / && as_postgres "$(postgres_bin)/pg_ctl" -D "$POSTGRES_DATA" -m fast -w stop >/dev/null 2>&1) || true
    POSTGRES_DATA=
}
