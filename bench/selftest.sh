#!/usr/bin/env bash
# Proves that sioload reports what goes wrong: it must pass an honest server and fail every lie.
cd "$(dirname "$0")" || exit 1
BENCH_BUILD=$(realpath -m "${BENCH_BUILD:-$PWD/target}")
export BENCH_BUILD CARGO_TARGET_DIR=$BENCH_BUILD
for verb in build test; do
  cargo $verb --release --locked --quiet --manifest-path sioload/Cargo.toml || exit 1
done
peers/node/setup.sh >/dev/null || exit 1
node=$BENCH_BUILD/node22
cp peers/node/faulty.js "$node/"
good=0 bad=0 port=$((19000 + $$ % 900))

try() { # fault, expected exit (0 or 1), scenario...
  local fault=$1 want=$2 pid out rc text verdict
  shift 2
  port=$((port + 1))
  FAULT=$fault PORT=$port "$node/node" "$node/faulty.js" &
  pid=$!
  for _ in $(seq 100); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.05
  done
  out=$("$BENCH_BUILD/release/sioload" "$@" --port "$port" --pid "$pid" --secs 0.5 --warmup 0.2 2>/dev/null)
  rc=$?
  kill "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  text=$(sed -n 's/.*"error_text":"\(\([^"\\]\|\\.\)*\)".*/\1/p' <<<"$out")
  if [ "$rc" = "$want" ]; then
    verdict=good good=$((good + 1))
  else
    verdict=BAD bad=$((bad + 1))
  fi
  printf '%-4s %-12s %-10s exit %s, wanted %s  %s\n' "$verdict" "$fault" "$1" "$rc" "$want" "${text:0:120}"
}

e="echo --conns 20 --inflight 4"
try none 0 $e
try none 0 $e --mode polling
try none 0 $e --mode upgrade
try none 0 ack --conns 20
try none 0 broadcast --conns 50
try none 0 rooms --conns 50 --rooms 10
try none 0 connect --conns 100 --rounds 2
for f in drop dup corrupt cross rename kick die; do try $f 1 $e; done
for f in ack-drop ack-corrupt; do try $f 1 ack --conns 20 --inflight 4; done
for f in room-all room-miss; do try $f 1 rooms --conns 50 --rooms 10; done
for f in bcast-miss bcast-dup; do try $f 1 broadcast --conns 50; done
echo "$good passed, $bad failed"
[ "$bad" = 0 ]
