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

. scripts/lib/tested_service.sh

# Tries the operations of a service with its files below a directory: as a superuser, without a token, and last those that end
# the token.
test_contract() {
    local address token
    install_schemathesis || {
        [ -z "${CI:-}" ] || fail "schemathesis could not be installed from PyPI"
        say "skipped: schemathesis could not be installed from PyPI"
        return 0
    }
    start_tested_service contract "$1" LOGIN_ATTEMPTS=1000000
    address=http://127.0.0.1:$tested_port
    token=$(curl -sf "$address/api/v1/auth/login" -H 'content-type: application/json' \
        -d "{\"username\": \"admin\", \"password\": \"$tested_password\"}" | cut -d '"' -f 4)
    try_operations "$address" --header "Authorization: Bearer $token" --exclude-path-regex '/logout' || fail_contract
    try_operations "$address" || fail_contract
    try_operations "$address" --header "Authorization: Bearer $token" --include-path-regex '/logout' || fail_contract
}

fail_contract() { fail "the service does not do what backend openapi says"; }

try_operations() {
    local address=$1
    shift
    "$schemathesis" --config-file scripts/lib/schemathesis.toml run "$address/openapi.json" \
        --checks all --max-examples 20 --suppress-health-check all --generation-deterministic --no-color "$@"
}
