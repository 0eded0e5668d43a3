# The service as a running program under test. Sourced after servers.sh, not run.

# Serves on a database of its own, in a namespace of its own, both of this name, with the log below a directory and further variables of
# the environment. Sets $tested_port. The superuser is `admin`, with the password of $tested_password. stop_servers stops it.
tested_password='correct horse'
start_tested_service() {
    local name=$1 directory=$2 log=$2/$1.log deadline binary
    shift 2
    # With the dependencies of tests, as the other parts of scripts/test build it: cargo would build it again without them.
    binary=$(build_service --test architecture)
    # A build from nothing takes longer than a start: the deadline counts from here.
    deadline=$((SECONDS + 60))
    private_psql -d postgres -c "CREATE DATABASE $name"
    (
        cd "$directory"
        exec env DATABASE_URL="$POSTGRES_URL/$name" SERVER_PORT=0 LOG_FORMAT=json CACHE_NAMESPACE="$name" \
            CACHE_REDIS_PORT="$REDIS_PORT" ADMIN_USERNAME=admin ADMIN_EMAIL=admin@example.com \
            ADMIN_PASSWORD="$tested_password" "$@" "$binary" serve
    ) >"$log" 2>&1 &
    STARTED_PIDS="$STARTED_PIDS $!"
    until tested_port=$(sed -n 's/.*"listening".*"address":"127\.0\.0\.1:\([0-9]*\)".*/\1/p' "$log") && [ -n "$tested_port" ]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "the service does not listen: $(tail -n 3 "$log")"
        sleep 0.1
    done
}
