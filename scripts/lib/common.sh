# Common to the scripts: the options of the shell, messages, and the required tools. Sourced first, not run. Changes to
# the root of the project, and sets $root to it.

# Functions, options and variables that the shell exports can change commands.
while read -r _ _ name; do unset -f "$name"; done <<EXPORTED
$(declare -Fx)
EXPORTED
set +o posix +o noclobber +o noglob +o allexport
shopt -u nullglob failglob dotglob nocaseglob nocasematch
unset CDPATH GLOBIGNORE BASH_ENV ENV POSIXLY_CORRECT GREP_OPTIONS REDISCLI_AUTH LANGUAGE
# With these psql and sqlx would use another database, and the build would connect to one.
unset "${!PG@}" "${!SQLX_@}"
export LC_ALL=C
umask 022
# The directories of runuser and other system programs, which a short PATH does not contain.
PATH="$PATH:/usr/local/bin:/usr/sbin:/sbin"

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
cd -- "$root"
# The name of the package and of the program, and that of the database in development.
program=$(sed -n '/^\[package\]/,/^name/s/^name = "\(.*\)"/\1/p' backend/Cargo.toml)
database=${program//-/_}

bold='' red='' plain=''
if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\033[1m' red=$'\033[1;31m' plain=$'\033[0m'
fi
say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*" >&2; }
fail() {
    printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# Runs a command that is quiet, and says the first argument if the command takes longer than two seconds.
with_notice() {
    local text=$1 notice status=0
    shift
    (
        sleep 2 </dev/null >/dev/null 2>&1
        say "$text"
    ) &
    notice=$!
    "$@" || status=$?
    kill "$notice" 2>/dev/null || true
    wait "$notice" 2>/dev/null || true
    return "$status"
}

# Removes the settings of the service from the environment, for scripts that must not depend on them.
forget_settings() {
    local name
    for name in $(sed -n 's/^\([A-Z][A-Z0-9_]*\)=.*/\1/p' .env.example); do
        unset "$name" "${name}_FILE"
    done
    unset PORT
}

# Random letters and digits, for a password.
random_password() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# Fails with the command that installs a missing tool.
require_build_tools() {
    # A shell that was opened before the installation of Rust has no PATH to it.
    has cargo || PATH="${CARGO_HOME:-${HOME:-}/.cargo}/bin:$PATH"
    has cargo || fail "cargo is missing. Install Rust: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    if ! has cc; then
        if [ "$(uname)" = Darwin ]; then
            fail "a C compiler is missing. Install one: xcode-select --install"
        fi
        fail "a C compiler is missing. Install one: sudo apt-get install build-essential"
    fi
}

# rustfmt finds files by `mod`. The features are declared by a macro (backend/src/modules/mod.rs), so their files are named here.
# Takes --check.
format_sources() {
    cargo fmt --all "$@" && rustfmt "$@" backend/src/modules/*/mod.rs backend/tests/*/mod.rs
}

# Builds the service, and prints the path of the binary. Takes further options of cargo.
build_service() { build_program "$program" "$@"; }

# Builds a program by its name, and prints the path of the binary: only cargo knows the target directory.
build_program() {
    local name=$1
    shift
    cargo build --locked --bin "$name" "$@" --message-format=json-render-diagnostics |
        sed -n "s/.*\"name\":\"$name\".*\"executable\":\"\([^\"]*\)\".*/\1/p" | tail -n 1
}

# The program of scripts/module. Chosen from the whole workspace, it shares what is built for the service: by itself it would
# have serde and syn with fewer features, and build them again.
generator() {
    local binary
    binary=$(with_notice "building the generator (some seconds after the service is built)" \
        build_program generator --workspace --quiet)
    "$binary" "$@"
}

# Runs a command as root: directly, or by sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Whether packages may be installed. Asks on a terminal unless ASSUME_YES is set.
may_install() {
    if [ "$(uname)" != Darwin ] && [ "$(id -u)" != 0 ] && ! has sudo; then
        return 1
    fi
    if [ -n "${ASSUME_YES:-}" ] || [ ! -t 0 ]; then
        return 0
    fi
    printf 'Install %s with the package manager? [Y/n] ' "$*" >&2
    local answer
    read -r answer
    case "$answer" in '' | y | Y | yes) return 0 ;; *) return 1 ;; esac
}

# Installs packages without starting the servers in them.
install_packages() {
    say "installing $*"
    if [ "$(uname)" = Darwin ]; then
        brew install "$@"
        return
    fi
    has apt-get || return 1
    # Debian starts a server when it is installed, unless this file forbids it. Only private instances are needed, and
    # the usual ports stay free.
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
