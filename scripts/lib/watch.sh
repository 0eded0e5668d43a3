# The loop of ./scripts/dev --watch: builds after a change of the sources, and starts the service again. Sourced, not run.
#
# It asks for newer files twenty times a second. That costs a few milliseconds each time for the few hundred sources, works on every
# system, and needs no program that has to be installed and kept up to date.

# The files that are built into the program.
watched='backend/src backend/Cargo.toml Cargo.toml Cargo.lock migrations .sqlx'

# Succeeds once a watched file is newer than the last build, or a folder, because a file in it came or went; fails when the service
# has ended. Without an argument it waits for a change alone.
wait_for_change() {
    local running=${1:-}
    while [ -z "$running" ] || kill -0 "$running" 2>/dev/null; do
        # shellcheck disable=SC2086 # The paths are words.
        if [ -n "$(find $watched -newer .dev/built 2>/dev/null)" ]; then return 0; fi
        sleep 0.05
    done
    return 1
}

# Serves until the script ends. $service is the running process.
watch_service() {
    local begun
    while :; do
        if ! wait_for_change "$service"; then
            wait "$service" || true
            service=
            say "the service has ended; it starts again after the next change"
            wait_for_change
        fi
        begun=$(now)
        # Before the build: a change during it is another one.
        touch .dev/built
        if ! build_service >/dev/null; then
            say "this does not build; the program from before goes on. A new or changed query needs ./scripts/test prepare"
            continue
        fi
        stop_service
        start_service
        if wait_for_port "$SERVER_PORT" "$service"; then
            say "serves the change, $(seconds_since "$begun") s after it was seen"
        fi
    done
}
