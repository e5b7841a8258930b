#!/usr/bin/env bash
# Proves that sioload and the clients report what goes wrong: they must pass an honest server and fail
# every lie.
cd "$(dirname "$0")" || exit 1
BENCH_BUILD=$(realpath -m "${BENCH_BUILD:-$PWD/target}")
export BENCH_BUILD CARGO_TARGET_DIR=$BENCH_BUILD
for verb in build test; do
  cargo $verb --release --locked --quiet --manifest-path sioload/Cargo.toml || exit 1
done
cargo build --release --locked --quiet --manifest-path clients/floor/Cargo.toml || exit 1
cargo build --profile peer --locked --quiet --manifest-path ../Cargo.toml -p client-sockeye || exit 1
clients/node/setup.sh && peers/node/setup.sh >/dev/null || exit 1
node=$BENCH_BUILD/node22
cp peers/node/faulty.js "$node/"
good=0 bad=0 port=$((19000 + $$ % 900))

try() { # fault, expected exit (0 or 1), scenario...
  against "$1" "$2" "$BENCH_BUILD/release/sioload" "${@:3}" --pid SERVER --secs 0.5 --warmup 0.2
}

try_client() { # fault, expected exit, client...
  against "$1" "$2" "${@:3}" --conns 20 --inflight 4 --secs 0.5 --warmup 0.2 --settle-ms 100
}

against() { # fault, expected exit, command...; SERVER is the server's process
  local fault=$1 want=$2 pid out rc text verdict what
  shift 2
  what=$(sed 's# --.*##; s#[^ ]*/##g' <<<"$*")
  port=$((port + 1))
  FAULT=$fault PORT=$port "$node/node" "$node/faulty.js" &
  pid=$!
  for _ in $(seq 100); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.05
  done
  out=$("${@/SERVER/$pid}" --port "$port" 2>/dev/null)
  rc=$?
  kill "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  text=$(sed -n 's/.*"error_text":"\(\([^"\\]\|\\.\)*\)".*/\1/p' <<<"$out")
  if [ "$rc" = "$want" ]; then
    verdict=good good=$((good + 1))
  else
    verdict=BAD bad=$((bad + 1))
  fi
  printf '%-4s %-12s %-18s exit %s, wanted %s  %s\n' "$verdict" "$fault" "$what" "$rc" "$want" "${text:0:120}"
}

e="echo --conns 20 --inflight 4"
value="$e --kind json --size 200 --event echo-value"
typed="$e --kind typed --event echo-typed"
joins="joins --conns 50 --joiners 16"
idle="idle --conns 50 --burst 4 --settle-ms 100"
polls="idle-polling --conns 50 --settle-ms 100"
try none 0 $e
try none 0 $e --mode polling
try none 0 $e --mode upgrade
try none 0 $e --kind bin --size 1024
try none 0 $e --rate 500
try none 0 $value
try none 0 $typed
try none 0 ack --conns 20
try none 0 broadcast --conns 50
try none 0 broadcast --conns 50 --inflight 8 --burst 1
try none 0 rooms --conns 50 --rooms 10
try none 0 $joins
try none 0 $idle
try none 0 $polls
try none 0 slow --conns 50 --total-mb 1
try none 0 connect --conns 100 --rounds 2
for f in drop dup corrupt cross rename kick die; do try $f 1 $e; done
for f in drop dup; do try $f 1 $e --rate 4000; done
for f in drop dup rename; do try $f 1 $value; done
for f in drop dup rename lossy; do try $f 1 $typed; done
for f in ack-drop ack-corrupt; do try $f 1 ack --conns 20 --inflight 4; done
for f in room-all room-miss; do try $f 1 rooms --conns 50 --rooms 10; done
for f in join-mute join-not leave-not room-all room-miss; do try $f 1 $joins; done
for f in bcast-miss bcast-dup; do
  try $f 1 broadcast --conns 50
  try $f 1 broadcast --conns 50 --inflight 8 --burst 1
  try $f 1 $idle
  try $f 1 $polls
  try $f 1 slow --conns 50 --total-mb 1
done
for fault in none drop dup corrupt cross rename kick die; do
  want=$([ $fault = none ] && echo 0 || echo 1)
  try_client $fault "$want" "$BENCH_BUILD/peer/client-sockeye"
  try_client $fault "$want" "$BENCH_BUILD/release/client-floor"
  try_client $fault "$want" "$BENCH_BUILD/client-node22/node" "$BENCH_BUILD/client-node22/client.js"
done
python3 test_tables.py || exit 1
echo "$good passed, $bad failed"
[ "$bad" = 0 ]
