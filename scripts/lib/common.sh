# What the scripts share: messages, and the tools that have to be there. Sourced, not run.

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() {
    printf '\033[1;31merror:\033[0m %s\n' "$*" >&2
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# Fails with the command that brings a missing tool.
require_build_tools() {
    # A shell that was opened before Rust was installed does not know where it is.
    has cargo || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    has cargo || fail "cargo is missing. Install Rust: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    if ! has cc; then
        if [ "$(uname)" = Darwin ]; then
            fail "a C compiler is missing. Install one: xcode-select --install"
        fi
        fail "a C compiler is missing. Install one: sudo apt-get install build-essential"
    fi
}

# Runs a command as root: directly, or by sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# May packages be installed? Asks on a terminal unless ASSUME_YES is set.
may_install() {
    if [ "$(uname)" != Darwin ] && [ "$(id -u)" != 0 ] && ! has sudo; then
        return 1
    fi
    if [ -n "${ASSUME_YES:-}" ] || [ ! -t 0 ]; then
        return 0
    fi
    printf 'Install %s with the package manager? [Y/n] ' "$*" >&2
    read -r answer
    case "$answer" in '' | y | Y | yes) return 0 ;; *) return 1 ;; esac
}

# Installs packages without starting the servers that they bring.
install_packages() {
    say "installing $*"
    if [ "$(uname)" = Darwin ]; then
        brew install "$@"
        return
    fi
    has apt-get || return 1
    # Debian starts a server as soon as it is installed unless this file says no. A private instance is
    # all that is wanted, and the usual ports are left alone.
    policy=/usr/sbin/policy-rc.d
    made_policy=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        made_policy=yes
    fi
    status=0
    {
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    } </dev/null >/dev/null || status=$?
    [ -z "$made_policy" ] || as_root rm -f "$policy"
    return "$status"
}
