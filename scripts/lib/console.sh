# Uses the console of the cache in Chromium. Sourced by scripts/test, not run.

. scripts/lib/tested_service.sh

# Uses the console of a service with its files below a directory. CONSOLE_PICTURES is a folder for pictures of its states.
test_console() {
    local chromium browser_test
    chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
        { ASSUME_YES=yes install_packages chromium && chromium=$(command -v chromium); } || {
        [ -z "${CI:-}" ] || fail "Chromium could not be installed"
        say "skipped: Chromium could not be installed"
        return 0
    }
    start_tested_service console "$1" CACHE_OPERATION_TIMEOUT_MS=5000
    fill_for_console
    browser_test=(python3 scripts/lib/console.py "$chromium" "127.0.0.1:$tested_port" "$tested_password")
    timeout 120 "${browser_test[@]}" ${CONSOLE_PICTURES:+"$CONSOLE_PICTURES"}
}

# 10 000 entries, and one with a body of 1 MB. They have the form of entries and belong to no generation. Further keys of another
# program are so many that a search takes several parts.
fill_for_console() {
    python3 - "$REDIS_PORT" <<'PYTHON'
import socket, sys, time, zlib

def entry(body):
    now = int(time.time() * 1000)
    line = (f"key={'0' * 16} length={len(body)} status=200 stored={now} fresh=600000 cost=3 "
            f"generation={'0' * 16} etag=\"x\" content-type=text/plain\n").encode()
    content = line + body
    return b"cache/3 " + b"1" * 16 + b" " + f"{zlib.crc32(content):08x}".encode() + b" " + content

def command(*parts):
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)

values = [(b"console:copied:%d" % number, entry(b"x" * 100)) for number in range(10_000)]
values.append((b"console:large:1", entry(b"y" * 1_000_000)))
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as server:
    for key, value in values:
        server.sendall(command(b"SET", key, value, b"EX", b"600"))
        assert server.recv(64) == b"+OK\r\n"
    others = [part for number in range(60_000) for part in (b"another:%d" % number, b"x")]
    server.sendall(command(b"MSET", *others))
    assert server.recv(64) == b"+OK\r\n"
PYTHON
}
