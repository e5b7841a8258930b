#!/usr/bin/env bash
# Runs every check of the project, the cheapest first, and stops at the first that fails.
#
#   ./test.sh            everything
#   ./test.sh rust       what needs Rust alone
#   ./test.sh node       the official clients in Node, one in Python, and a browser
#
# Needed: Rust (stable), Node 20 or later with npm, Python 3.10 or later. What else is needed is
# installed from the package registries (cargo-deny; the npm packages in conformance/js; the Python
# packages in conformance/python; Debian's valgrind, chromium and python3-venv, if apt-get may be
# used), or named, and the run fails.
set -euo pipefail
cd "$(dirname "$0")"

deny_version=0.20.2
target=${CARGO_TARGET_DIR:-$PWD/target}

step() { printf '\n== %s\n' "$*"; "$@"; }

need() { command -v "$1" >/dev/null || { echo "missing: $1. $2" >&2; exit 1; }; }

rust() {
    need cargo "Install Rust: https://rustup.rs"
    step cargo fmt --all --check
    step cargo clippy --workspace --all-targets --locked -- -D warnings
    step cargo clippy -p sockeye --no-default-features --all-targets --locked -- -D warnings
    step cargo clippy -p sockeye --no-default-features --features client --all-targets --locked -- -D warnings
    step cargo clippy -p sockeye --no-default-features --features server --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" step cargo doc --workspace --no-deps --document-private-items --locked
    cargo deny --version 2>/dev/null | grep -q "$deny_version" ||
        step cargo install cargo-deny --locked --version "$deny_version"
    step cargo deny --log-level error check bans licenses sources
    advisories
    # Units, vectors, machines, seeded simulation, loopback, and the protocol cases over raw sockets.
    step cargo test --workspace --locked
    counts
    # How many behaviours of the official server are shown, differ, are absent, or come later.
    step cargo test --quiet --locked -p conformance --test checklist -- --nocapture every_behaviour
    # The same of the inputs and faults that were thought of. With larger bounds: conformance/endurance.
    step cargo test --quiet --locked -p conformance --test reliability -- --nocapture every_input
}

# Instructions and system calls of single operations, compared with bench/counts/expected.toml.
counts() {
    [ "$(uname -sm)" = "Linux x86_64" ] || { echo "no counts: they are of Linux on x86-64"; return; }
    command -v valgrind >/dev/null || install_package valgrind "Install valgrind."
    step cargo build --release --locked -p bench-counts
    step "$target/release/bench-counts" check
}

# Known faults of dependencies: their list is fetched. Where that cannot be done it is said, and is no failure.
advisories() {
    local said
    printf '\n== cargo deny check advisories\n'
    if said=$(cargo deny --log-level error check advisories 2>&1); then
        echo "$said"
    elif grep -qiE 'failed to (fetch|acquire|clone|open|load)|unable to|network|resolve host|timed out' <<<"$said" &&
        ! grep -q 'error\[\(vulnerability\|unsound\|unmaintained\|yanked\)\]' <<<"$said"; then
        echo "not checked: the database of advisories cannot be reached from here"
    else
        echo "$said" >&2
        return 1
    fi
}

node() {
    need node "Install Node.js 20 or later."
    need npm "It comes with Node.js."
    command node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' ||
        { echo "Node.js $(command node --version) is too old: 20 or later is needed." >&2; exit 1; }
    browser
    python
    # That a table of the load rig says nothing of a run in which something went wrong.
    step python3 bench/test_tables.py
    step cargo build --release --locked -p conformance --bins
    step cargo build --release --locked -p sockeye --example chat
    step npm --prefix conformance/js ci --no-audit --no-fund
    export CONTRACT_SERVER="$target/release/contract-server"
    step npm --prefix conformance/js run test:server
    step npm --prefix conformance/js run test:server:msgpack
    step npm --prefix conformance/js run test:clients
    # A client under test: the official one, which shows that the suites are right; then ours, with our server, the
    # official one, and that of python-socketio.
    step npm --prefix conformance/js run test:driver:reference
    export CLIENT_DRIVER="$target/release/contract-driver"
    step npm --prefix conformance/js run test:driver
    CONTRACT_SERVER="node reference/contract-server.mjs" RECOVERY_ONLY_REPORT=1 \
        step npm --prefix conformance/js run test:driver:server
    step npm --prefix conformance/js run test:driver:python
    CHAT_SERVER="$target/release/examples/chat" step npm --prefix conformance/js run test:browser
}

browser() {
    [ -x "${CHROMIUM:-/usr/bin/chromium}" ] ||
        install_package chromium "Install Chromium, or name it: CHROMIUM=…"
}

python() {
    local environment=conformance/python/.venv
    local pip=("$environment/bin/python" -m pip --disable-pip-version-check)
    python3 -c 'import ensurepip, venv' 2>/dev/null ||
        install_package python3-venv "Install Python 3.10 or later with its modules venv and ensurepip."
    "${pip[@]}" --version >/dev/null 2>&1 || step python3 -m venv --clear "$environment"
    step "${pip[@]}" install --quiet --require-hashes --requirement conformance/python/requirements.txt
}

# A package of Debian, where it may be installed; else what the reader can do.
install_package() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        step apt-get update -qq
        step apt-get install -y -qq "$1"
    else
        echo "missing: $1. $2 (Debian: apt-get install $1)" >&2
        exit 1
    fi
}

case "${1:-all}" in
    rust) rust ;;
    node) node ;;
    all) rust; node ;;
    *) echo "usage: ./test.sh [rust|node]" >&2; exit 2 ;;
esac
printf '\nall passed\n'
