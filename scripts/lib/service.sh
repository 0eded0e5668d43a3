# The parts of scripts/dev for the service: its cache server, its tables, its port, its start and its end, and the steps with their times. Sourced after servers.sh, not
# run. $binary is the path of the service, which prints the settings.

# The value of a setting, from the environment, .env or the default; empty where there is no such setting.
setting() { "$binary" settings --get "$1" 2>/dev/null || true; }

# Where a setting was given, such as `line 3 of .env`; empty for its default.
origin_of() { "$binary" settings 2>/dev/null | sed -n "s/^$1=.*  # //p"; }

# Sets $cache to the server that is started, redis or memcached, or else to the place of the cache: elsewhere, memory or
# nowhere.
choose_cache() {
    local name names
    cache=nowhere
    [ "$(setting CACHE_ENABLED)" = true ] || return 0
    cache=$(setting CACHE_BACKEND)
    [ "$cache" != memory ] || return 0
    # An address of several servers, or a whole URL, is the user's own server.
    case "$cache" in
        redis) names='CACHE_REDIS_URL CACHE_REDIS_SENTINELS CACHE_REDIS_NODES' ;;
        *) names=CACHE_MEMCACHED_SERVERS ;;
    esac
    for name in $names; do
        [ -n "$(setting "$name")" ] || continue
        say "$name is set: the service uses the $cache that it names, and none is started"
        cache=elsewhere
        return 0
    done
    if ! ensure_servers "$cache"; then
        say "there is no $cache: the cache is kept in memory (CACHE_BACKEND=memory)"
        export CACHE_BACKEND=memory CACHE_NEAR=false
        cache=memory
    fi
}

# Starts the cache server with its files below a directory, and sends the service there.
start_cache() {
    case "$cache" in
        redis)
            start_redis "$1/redis" "$(setting CACHE_REDIS_PASSWORD)"
            export CACHE_REDIS_HOST=127.0.0.1 CACHE_REDIS_PORT=$REDIS_PORT CACHE_REDIS_TLS=false CACHE_REDIS_TLS_CA_FILE=
            # Redis gives its password to the user `default`.
            [ -z "$(setting CACHE_REDIS_USERNAME)" ] || export CACHE_REDIS_USERNAME=default
            ;;
        memcached)
            start_memcached "$1/memcached"
            export CACHE_MEMCACHED_HOST=127.0.0.1 CACHE_MEMCACHED_PORT=$MEMCACHED_PORT
            ;;
    esac
}

# Prints the place of the cache, and sets $to_expect to the answers of a first and a second request.
describe_cache() {
    to_expect="twice: a miss, then a hit (see Cache-Status)"
    case "$cache" in
        redis)
            if [ -n "$(setting CACHE_REDIS_PASSWORD)" ]; then
                printf '  Redis: redis-cli -p %s --askpass; the password is CACHE_REDIS_PASSWORD\n' "$REDIS_PORT"
            else
                printf '  Redis: redis-cli -p %s\n' "$REDIS_PORT"
            fi
            ;;
        memcached) printf '  Memcached: port %s\n' "$MEMCACHED_PORT" ;;
        memory) printf '  The cache is kept in memory.\n' ;;
        nowhere)
            printf '  The cache is off (CACHE_ENABLED=false).\n'
            to_expect="nothing is cached"
            ;;
    esac
}

# Migrates the tables. Prints what to do where they do not fit the sources, such as after a migration was changed or
# removed.
migrate() {
    local version
    "$binary" migrate ||
        fail "the tables in .dev do not fit the migrations of these sources: ./scripts/dev --reset begins with an empty database"
    for version in $(private_psql -d "$database" -At -c 'SELECT version FROM _sqlx_migrations ORDER BY version'); do
        if ! ls migrations | sed -n 's/^0*\([0-9][0-9]*\)_.*/\1/p' | grep -qx "$version"; then
            say "the database has the tables of migration $version, which is not in migrations/: ./scripts/dev --reset begins without them"
        fi
    done
}

# Sets SERVER_PORT, at an attempt to start: the one of the settings, or else, exported, the usual one or the next free one, and
# from the second attempt any free one. Sets $reachable_host and $url_host to the address at which the service can be reached
# from here.
choose_service_port() {
    local attempt=$1 usual=8000 port origin
    reachable_host=$(setting SERVER_HOST)
    case "$reachable_host" in 0.0.0.0 | :: | '[::]') reachable_host=127.0.0.1 ;; esac
    url_host=$reachable_host
    case "$url_host" in *:*) url_host="[$url_host]" ;; esac
    port=$(setting SERVER_PORT)
    if [ "$port" != 0 ] && [ "$port" != "$usual" ] && [ "$port" != "${chosen_port:-}" ]; then
        origin=$(origin_of SERVER_PORT)
        if is_taken "$port" "$reachable_host"; then
            fail "port $port, which $origin names, is taken by another program: stop it, or choose another port"
        fi
        say "the service listens on port $port, which $origin names"
        SERVER_PORT=$port
    else
        port=$usual
        if is_taken "$port" "$reachable_host"; then
            port=$(kept_port service)
            port=${port:-$((usual + 1))}
            # Several services that start at once would meet again at the next port.
            [ "$attempt" = 1 ] || port=$(free_port)
            while is_taken "$port" "$reachable_host"; do port=$((port + 1)); done
            say "port $usual is taken by another program, so the service listens on port $port"
            keep_port service "$port"
        fi
        chosen_port=$port
        export SERVER_PORT=$port
    fi
}

# Writes where the private servers are to .dev/environment, for the program's own commands in another shell.
write_environment() {
    local name
    for name in DATABASE_URL CACHE_BACKEND CACHE_NEAR CACHE_REDIS_HOST CACHE_REDIS_PORT CACHE_REDIS_USERNAME CACHE_REDIS_TLS \
        CACHE_REDIS_TLS_CA_FILE CACHE_MEMCACHED_HOST CACHE_MEMCACHED_PORT; do
        if [ -n "${!name+set}" ]; then printf 'export %s=%q\n' "$name" "${!name}"; fi
    done >.dev/environment
}

start_service() {
    "$binary" &
    service=$!
}

# Chooses a port and starts the service there. Where another program takes the port in the meantime, the next one is tried,
# unless the settings name it.
start_service_on_a_port() {
    local attempt
    for attempt in 1 2 3; do
        choose_service_port "$attempt"
        start_service
        if wait_for_port "$SERVER_PORT" "$service"; then return 0; fi
        stop_service
        is_taken "$SERVER_PORT" "$reachable_host" || break
    done
    fail "the service did not start"
}

# Ends the service if it runs. SIGINT ends it at once, and SIGTERM would wait for requests.
stop_service() {
    [ -n "$service" ] || return 0
    kill -s INT "$service" 2>/dev/null || true
    wait "$service" 2>/dev/null || true
    service=
}

# Says what is done, and how long it takes: as long as last time, which .dev/times remembers, or else the third argument, the
# seconds of a first time on two cores.
begin_step() {
    local last
    step=$1
    last=$(sed -n "s/^$1=//p" .dev/times 2>/dev/null || true)
    if [ -n "$last" ]; then
        say "$2 (last time: $last s)"
    else
        say "$2 (the first time: about $3 s)"
    fi
    step_begun=$(now)
}

end_step() {
    local took
    took=$(seconds_since "$step_begun")
    { grep -v "^$step=" .dev/times 2>/dev/null || true; echo "$step=$took"; } >.dev/times.new
    mv .dev/times.new .dev/times
}

# A time in milliseconds: bash 5 knows it; older ones, as on macOS, know seconds.
now() {
    local time=${EPOCHREALTIME:-$(date +%s).000}
    time=${time/[.,]/}
    printf '%s\n' "${time:0:13}"
}

# The seconds since a time of now, with a tenth.
seconds_since() {
    local tenths=$((($(now) - $1) / 100))
    printf '%s.%s\n' "$((tenths / 10))" "$((tenths % 10))"
}
