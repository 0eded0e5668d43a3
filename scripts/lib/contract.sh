# Tries every operation of the API's description with schemathesis. Sourced by scripts/test, not run.

# Installs schemathesis into an environment of its own, which stays, and sets $schemathesis. Fails where PyPI cannot be reached.
install_schemathesis() {
    local version=4.32.5 home="$root/target/schemathesis"
    schemathesis=$home/bin/schemathesis
    if [ -x "$schemathesis" ] && [ "$(cat "$home/version" 2>/dev/null)" = "$version" ]; then return; fi
    rm -rf "$home"
    python3 -m venv "$home" 2>/dev/null || {
        rm -rf "$home"
        install_packages python3-venv && python3 -m venv "$home"
    } || return 1
    "$home/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version" || return 1
    echo "$version" >"$home/version"
}

# The id of the process that serves.
contract_service=

# Serves on a database of its own, with the files below a directory, and tries the operations as a superuser, without a token, and
# last those that end the token.
test_contract() {
    local binary port address token deadline
    install_schemathesis || {
        [ -z "${CI:-}" ] || fail "schemathesis could not be installed from PyPI"
        say "skipped: schemathesis could not be installed from PyPI"
        return 0
    }
    binary=$(build_service)
    private_psql -d postgres -c 'CREATE DATABASE contract'
    (
        cd "$1"
        exec env DATABASE_URL="$POSTGRES_URL/contract" SERVER_PORT=0 LOG_FORMAT=json CACHE_NAMESPACE=contract \
            CACHE_REDIS_PORT="$REDIS_PORT" LOGIN_ATTEMPTS=1000000 ADMIN_USERNAME=admin ADMIN_EMAIL=admin@example.com \
            ADMIN_PASSWORD='correct horse' "$binary" serve
    ) >"$1/contract.log" 2>&1 &
    contract_service=$!
    deadline=$((SECONDS + 30))
    until port=$(sed -n 's/.*"listening".*"address":"127\.0\.0\.1:\([0-9]*\)".*/\1/p' "$1/contract.log") && [ -n "$port" ]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "the service does not listen: $(tail -n 3 "$1/contract.log")"
        sleep 0.1
    done
    address=http://127.0.0.1:$port
    token=$(curl -sf "$address/api/v1/auth/login" -H 'content-type: application/json' \
        -d '{"username": "admin", "password": "correct horse"}' | cut -d '"' -f 4)
    try_operations "$address" --header "Authorization: Bearer $token" --exclude-path-regex '/logout' || fail_contract
    try_operations "$address" || fail_contract
    try_operations "$address" --header "Authorization: Bearer $token" --include-path-regex '/logout' || fail_contract
    kill "$contract_service"
    wait "$contract_service" || true
}

fail_contract() {
    kill "$contract_service" 2>/dev/null || true
    fail "the service does not do what backend openapi says"
}

try_operations() {
    local address=$1
    shift
    "$schemathesis" --config-file scripts/lib/schemathesis.toml run "$address/openapi.json" \
        --checks all --max-examples 20 --suppress-health-check all --generation-deterministic --no-color "$@"
}
