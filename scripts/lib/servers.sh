# Private Redis and Memcached servers, and the ports of all private servers. Sourced after common.sh, not run.
#
# Each start_… function takes the directory for the server's files and sets POSTGRES_PORT, REDIS_PORT or
# MEMCACHED_PORT. stop_servers stops all of them. If KEPT_PORTS is the name of a file, servers get the ports of the last
# time.

STARTED_PIDS=
KEPT_PORTS=${KEPT_PORTS:-}

. scripts/lib/postgres.sh

# The program that serves as Redis in the tests, such as valkey-server.
redis_server() { printf '%s' "${TEST_REDIS_SERVER:-redis-server}"; }
# Its client, such as valkey-cli. That of Redis speaks to both.
redis_cli() {
    local own
    own=$(redis_server | sed 's/-server$/-cli/')
    if has "$own"; then printf '%s\n' "$own"; else echo redis-cli; fi
}
has_redis() { has "$(redis_server)"; }
has_memcached() { has memcached; }
has_prometheus() { has prometheus && has promtool; }
# The PATH of a user may not contain Debian's directory.
pgbouncer_program() { command -v pgbouncer || printf '%s\n' /usr/sbin/pgbouncer; }
has_pgbouncer() { [ -x "$(pgbouncer_program)" ]; }

# Installs the named servers where they are missing; fails where installing is not allowed or does not help.
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
            prometheus-*) missing="$missing prometheus" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086 # The names are words.
    may_install $missing && install_packages $missing
    for server in "$@"; do "has_$server" || return 1; done
}

# Whether a program listens on a port of this machine, or of the host that is the second argument.
is_taken() { (exec 3<>"/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null; }

# A free port.
free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        if ! is_taken "$port"; then
            printf '%s\n' "$port"
            return
        fi
    done
}

# The port of a server at the last start; empty for none.
kept_port() {
    [ -n "$KEPT_PORTS" ] && [ -e "$KEPT_PORTS" ] || return 0
    sed -n "s/^$1=\([0-9][0-9]*\)\$/\1/p" "$KEPT_PORTS" | tail -n 1
}

# Keeps the port of a server for the next start.
keep_port() {
    [ -n "$KEPT_PORTS" ] || return 0
    {
        sed "/^$1=/d" "$KEPT_PORTS" 2>/dev/null || true
        printf '%s=%s\n' "$1" "$2"
    } >"$KEPT_PORTS.new"
    mv "$KEPT_PORTS.new" "$KEPT_PORTS"
}

# The port for a server, at an attempt to start it: at the first attempt the port of the last start, if it is free.
choose_port() {
    local port=
    [ "$2" != 1 ] || port=$(kept_port "$1")
    if [ -n "$port" ] && is_taken "$port"; then
        say "port $port, which $1 had last time, is taken by another program: another port is used"
        port=
    fi
    if [ -n "$port" ]; then printf '%s\n' "$port"; else free_port; fi
}

# Whether the process of the second argument listens on the port. An answer at the port may be another program's, which took
# it a moment earlier. Where the process cannot be looked into, such as one of another user in a container, an answer counts.
listens() {
    local port pid=$2 socket
    # Linux lists the sockets of a process in files; macOS has the program.
    if [ ! -r /proc/net/tcp ]; then
        lsof -nP -a -p "$pid" -iTCP:"$1" -sTCP:LISTEN >/dev/null 2>&1
        return
    fi
    if ! ls "/proc/$pid/fd" >/dev/null 2>&1; then
        kill -0 "$pid" 2>/dev/null && is_taken "$1"
        return
    fi
    port=$(printf '%04X' "$1")
    # 0A is the state of a socket that listens, and the tenth column is its number.
    for socket in $(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port=":$port\$" '$4 == "0A" && $2 ~ port { print $10 }'); do
        if [ -n "$(find "/proc/$pid/fd" -lname "socket:\[$socket\]" 2>/dev/null)" ]; then return 0; fi
    done
    return 1
}

# Waits until the process listens on the port; fails when it has ended or after 20 seconds.
wait_for_port() {
    local tries=0
    until listens "$1" "$2"; do
        kill -0 "$2" 2>/dev/null || return 1
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || return 1
        sleep 0.1
    done
}

# Starts Redis, with the second argument as its password unless that is empty.
start_redis() {
    local directory=$1 password=${2:-} attempt
    shift $(($# < 2 ? $# : 2))
    mkdir -p "$directory"
    # On standard input: other users see the arguments of a process.
    password=${password//\\/\\\\}
    password=${password//\"/\\\"}
    password=${password//$'\n'/\\n}
    for attempt in 1 2 3; do
        REDIS_PORT=$(choose_port redis "$attempt")
        printf 'requirepass "%s"\n' "$password" |
            exec "$(redis_server)" - --port "$REDIS_PORT" --bind 127.0.0.1 --save '' --appendonly no --dir "$directory" "$@" \
                >"$directory/log" 2>&1 &
        if wait_for_port "$REDIS_PORT" $!; then
            STARTED_PIDS="$STARTED_PIDS $!"
            keep_port redis "$REDIS_PORT"
            return 0
        fi
    done
    cat "$directory/log" >&2
    fail "Redis did not start; its log is above"
}

# Makes a certificate for this machine in a directory that is its own authority, and starts a Redis with TLS there. Sets
# REDIS_PORT, REDIS_TLS_PORT and REDIS_AUTHORITY.
start_redis_with_tls() {
    mkdir -p "$1"
    REDIS_AUTHORITY=$1/certificate.pem
    # The client refuses a server's certificate that says it is an authority, as openssl makes them by default.
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
        -addext basicConstraints=critical,CA:FALSE -keyout "$1/key.pem" -out "$REDIS_AUTHORITY" 2>/dev/null || fail "openssl could not make a certificate"
    REDIS_TLS_PORT=$(free_port)
    start_redis "$1" '' --tls-port "$REDIS_TLS_PORT" --tls-auth-clients no \
        --tls-cert-file "$REDIS_AUTHORITY" --tls-key-file "$1/key.pem" --tls-ca-cert-file "$REDIS_AUTHORITY"
}

# Starts three masters of a Redis Cluster with their files below a directory. Sets REDIS_NODES.
start_redis_cluster() {
    local number nodes=() buses=() REDIS_PORT
    for number in 1 2 3; do
        buses[number]=$(free_port)
        start_redis "$1/$number" '' --cluster-enabled yes --cluster-port "${buses[number]}"
        nodes[number]=127.0.0.1:$REDIS_PORT
    done
    "$(redis_cli)" --cluster create "${nodes[1]}@${buses[1]}" "${nodes[2]}@${buses[2]}" "${nodes[3]}@${buses[3]}" \
        --cluster-yes >"$1/log" 2>&1 || { cat "$1/log" >&2; fail "the Redis Cluster could not be made"; }
    REDIS_NODES=${nodes[1]},${nodes[2]},${nodes[3]}
}

start_memcached() {
    mkdir -p "$1"
    local user attempt
    # As root it must be given a user to run as.
    if [ "$(id -u)" = 0 ]; then user='-u nobody'; else user=; fi
    for attempt in 1 2 3; do
        MEMCACHED_PORT=$(choose_port memcached "$attempt")
        # shellcheck disable=SC2086 # Two words or none.
        memcached -p "$MEMCACHED_PORT" -l 127.0.0.1 -U 0 $user >"$1/log" 2>&1 &
        if wait_for_port "$MEMCACHED_PORT" $!; then
            STARTED_PIDS="$STARTED_PIDS $!"
            keep_port memcached "$MEMCACHED_PORT"
            return 0
        fi
    done
    cat "$1/log" >&2
    fail "Memcached did not start; its log is above"
}

stop_servers() {
    for pid in $STARTED_PIDS; do kill "$pid" 2>/dev/null || true; done
    stop_postgres
    STARTED_PIDS=
}
