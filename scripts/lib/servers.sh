# Private PostgreSQL, Redis and Memcached servers on free ports. Sourced, not run.
#
# Each start_… function takes the directory for the server's files and sets POSTGRES_PORT, REDIS_PORT or
# MEMCACHED_PORT. stop_servers stops all that were started.

STARTED_PIDS=
POSTGRES_DATA=

# The directory of PostgreSQL's programs: one that has them all, since links to some may be on the PATH.
# Debian and Homebrew keep them where the PATH does not lead.
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
has_redis() { has redis-server; }
has_memcached() { has memcached; }
# Debian keeps it where the PATH of a user may not lead.
pgbouncer_program() { command -v pgbouncer || printf '%s\n' /usr/sbin/pgbouncer; }
has_pgbouncer() { [ -x "$(pgbouncer_program)" ]; }

# Installs what is missing of the servers that are named; fails with the command where it may not.
ensure_servers() {
    local missing= server
    for server in "$@"; do
        "has_$server" && continue
        case "$server-$(uname)" in
            postgres-Darwin) missing="$missing postgresql@17" ;;
            postgres-*) missing="$missing postgresql" ;;
            redis-Darwin) missing="$missing redis" ;;
            redis-*) missing="$missing redis-server" ;;
            memcached-*) missing="$missing memcached" ;;
            pgbouncer-*) missing="$missing pgbouncer" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086 # The names are words.
    may_install $missing && install_packages $missing
    for server in "$@"; do "has_$server" || return 1; done
}

# A port that nothing listens on.
free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s\n' "$port"
            return
        fi
    done
}

# Waits until something listens on the port; fails when the process has ended or after 20 seconds.
wait_for_port() {
    local tries=0
    until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
        kill -0 "$2" 2>/dev/null || return 1
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || return 1
        sleep 0.1
    done
}

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# Where the files of PostgreSQL really go, for a directory: as root they belong to another user, whom the
# directories above a project in a private home do not let through.
postgres_directory() {
    local directory=$1
    mkdir -p "$directory"
    if [ "$(id -u)" = 0 ]; then
        chown postgres "$directory"
        if ! as_postgres test -w "$directory" 2>/dev/null; then
            directory="/var/tmp/backend-postgres-$(printf '%s' "$directory" | cksum | cut -d ' ' -f 1)"
            mkdir -p "$directory"
            chown postgres "$directory"
        fi
    fi
    printf '%s\n' "$directory"
}

# Removes the databases that are kept in a directory.
forget_postgres() {
    local directory
    directory=$(postgres_directory "$1")
    rm -rf "${directory:?}/data"
}

start_postgres() {
    local directory bin
    directory=$(postgres_directory "$1")
    shift
    bin=$(postgres_bin)
    POSTGRES_DATA="$directory/data"
    if ! as_postgres test -e "$POSTGRES_DATA/PG_VERSION"; then
        (cd / && as_postgres "$bin/initdb" -D "$POSTGRES_DATA" -A trust -U postgres -E UTF8 --locale=C >/dev/null) ||
            fail "the database could not be set up in $directory"
    fi
    # One that a killed script left running.
    (cd / && as_postgres "$bin/pg_ctl" -D "$POSTGRES_DATA" -m fast -w stop >/dev/null 2>&1) || true
    # The socket's directory is /tmp, since the path of a socket has at most 100 characters.
    for _ in 1 2 3; do
        POSTGRES_PORT=$(free_port)
        if (cd / && as_postgres "$bin/pg_ctl" -D "$POSTGRES_DATA" -l "$directory/log" -w -t 60 \
            -o "-p $POSTGRES_PORT -k /tmp -c listen_addresses=127.0.0.1 $*" start >/dev/null); then
            return 0
        fi
    done
    cat "$directory/log" >&2 || true
    fail "PostgreSQL did not start; its log is above"
}

start_redis() {
    mkdir -p "$1"
    for _ in 1 2 3; do
        REDIS_PORT=$(free_port)
        redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --save '' --appendonly no --dir "$1" >"$1/log" 2>&1 &
        if wait_for_port "$REDIS_PORT" $!; then
            STARTED_PIDS="$STARTED_PIDS $!"
            return 0
        fi
    done
    cat "$1/log" >&2
    fail "Redis did not start; its log is above"
}

start_memcached() {
    mkdir -p "$1"
    local user
    # As root it wants to know whom to become.
    if [ "$(id -u)" = 0 ]; then user='-u nobody'; else user=; fi
    for _ in 1 2 3; do
        MEMCACHED_PORT=$(free_port)
        # shellcheck disable=SC2086 # Two words or none.
        memcached -p "$MEMCACHED_PORT" -l 127.0.0.1 -U 0 $user >"$1/log" 2>&1 &
        if wait_for_port "$MEMCACHED_PORT" $!; then
            STARTED_PIDS="$STARTED_PIDS $!"
            return 0
        fi
    done
    cat "$1/log" >&2
    fail "Memcached did not start; its log is above"
}

stop_servers() {
    for pid in $STARTED_PIDS; do kill "$pid" 2>/dev/null || true; done
    if [ -n "$POSTGRES_DATA" ]; then
        (cd / && as_postgres "$(postgres_bin)/pg_ctl" -D "$POSTGRES_DATA" -m fast -w stop >/dev/null 2>&1) || true
    fi
    STARTED_PIDS=
}
