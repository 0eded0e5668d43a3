# Tries every operation of the API's description with schemathesis, and uses a client that is generated from it. Sourced by
# scripts/test, not run.

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

. scripts/lib/tested_service.sh

# Installs the generator and the compiler of the client into a directory of their own, which stays. Fails where npm's registry cannot
# be reached.
install_client_tools() {
    local versions="openapi-typescript@7.13.0 openapi-fetch@0.17.0 typescript@5.9.3 @types/node@20.19.0"
    client=$root/target/contract_client
    if [ "$(cat "$client/versions" 2>/dev/null)" = "$versions" ]; then return; fi
    if ! has npm; then install_packages nodejs npm || return 1; fi
    rm -rf "$client"
    mkdir -p "$client"
    echo '{"private": true, "type": "module"}' >"$client/package.json"
    # shellcheck disable=SC2086
    npm install --prefix "$client" --ignore-scripts --no-audit --no-fund --silent --save-exact $versions || return 1
    echo "$versions" >"$client/versions"
}

# Generates a client from the description that the service at an address gives, compiles it, and uses it.
test_client() {
    install_client_tools || {
        [ -z "${CI:-}" ] || fail "openapi-typescript could not be installed from npm"
        say "skipped: openapi-typescript could not be installed from npm"
        return 0
    }
    cp scripts/lib/contract_client.ts "$client/client.ts"
    (
        cd "$client" &&
            node_modules/.bin/openapi-typescript "$1/openapi.json" --output api.ts >/dev/null &&
            node_modules/.bin/tsc --strict --target es2022 --module nodenext client.ts &&
            node client.js "$1" admin "$tested_password"
    ) || fail "a client that is generated from /openapi.json does not work"
}

# Tests the description of a service with its files below a directory.
test_contract() {
    local address
    start_tested_service contract "$1" LOGIN_ATTEMPTS=1000000
    address=http://127.0.0.1:$tested_port
    test_client "$address"
    test_operations "$address"
}

# Tries the operations of a service: as a superuser, without a token, and last those that end sessions.
test_operations() {
    local address=$1 path
    install_schemathesis || {
        [ -z "${CI:-}" ] || fail "schemathesis could not be installed from PyPI"
        say "skipped: schemathesis could not be installed from PyPI"
        return 0
    }
    try_operations "$address" --header "$(authorization "$address")" --exclude-path-regex '/logout|/sessions/' || fail_contract
    try_operations "$address" || fail_contract
    # These end sessions, that of their token too, so each has a token of its own.
    for path in /sessions/ '/logout$' /logout-all; do
        try_operations "$address" --header "$(authorization "$address")" --include-path-regex "$path" || fail_contract
    done
}

# The header of a new token of the superuser.
authorization() {
    local token
    token=$(curl -sf "$1/api/v1/auth/login" -H 'content-type: application/json' \
        -d "{\"username\": \"admin\", \"password\": \"$tested_password\"}" | cut -d '"' -f 4)
    echo "Authorization: Bearer $token"
}

fail_contract() { fail "the service does not do what backend openapi says"; }

try_operations() {
    local address=$1
    shift
    "$schemathesis" --config-file scripts/lib/schemathesis.toml run "$address/openapi.json" \
        --checks all --max-examples 20 --suppress-health-check all --generation-deterministic --no-color "$@"
}
