'use strict';
// The official client: the command line, the order of things and the figures of ../kit.
const fs = require('fs');
const { io } = require('socket.io-client');

const plan = { port: 0, conns: 1000, inflight: 0, size: 16, warmup: 1, secs: 2, 'settle-ms': 1000 };
const args = process.argv.slice(2);
for (let i = 0; i < args.length; i += 2) {
  const key = args[i].replace(/^--/, '');
  const value = Number(args[i + 1]);
  if (!(key in plan) || !(value >= 0)) {
    console.error(`${args[i]} ${args[i + 1]}: cannot be`);
    process.exit(2);
  }
  plan[key] = value;
}

const AT_ONCE = 64;
const OPENING = 20e3; // ms
const DRAINING = 10e3; // ms
const LONGEST = 10; // s

const report = {};
const lanes = [];
let sent = 0;
let received = 0;
let errors = 0;
let firstError = '';
let echoing = false;
let closing = false;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function fail(what) {
  if (closing) return;
  errors++;
  firstError ||= String(what);
}

const residentKb = () =>
  Number(/^Rss:\s+(\d+)/m.exec(fs.readFileSync('/proc/self/smaps_rollup', 'latin1'))[1]);

function usage() {
  let nanoseconds = 0;
  for (const thread of fs.readdirSync('/proc/self/task')) {
    nanoseconds += Number(fs.readFileSync(`/proc/self/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
  }
  const stat = fs.readFileSync('/proc/self/stat', 'latin1');
  const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { at: Date.now() / 1e3, cpu: nanoseconds / 1e9, user: ticks[11] / 100, sys: ticks[12] / 100 };
}

const text = (lane, n) =>
  (String(lane.number).padStart(6, '0') + String(n).padStart(10, '0')).padEnd(plan.size, '.');

function emit(lane) {
  sent++;
  lane.socket.emit('echo', text(lane, lane.next++));
}

function echoed(lane, ...values) {
  const expected = lane.expected++;
  if (expected >= lane.next || values.length !== 1 || values[0] !== text(lane, expected)) {
    return fail(`${JSON.stringify(values)} came in the place of number ${expected}`);
  }
  received++;
  if (echoing) emit(lane);
}

function open(number) {
  return new Promise((resolve) => {
    const socket = io(`http://127.0.0.1:${plan.port}/`, {
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
    });
    const lane = { number, socket, next: 0, expected: 0 };
    const timer = setTimeout(() => done(`connection ${number}: does not open`), OPENING);
    const done = (error) => {
      clearTimeout(timer);
      if (error) fail(error);
      else lanes.push(lane);
      resolve();
    };
    socket.on('connect', () => done());
    socket.on('connect_error', (error) => done(error.message));
    socket.on('disconnect', (reason) => fail(`connection ${number}: ${reason}`));
    socket.on('echo', (...values) => echoed(lane, ...values));
    socket.onAny((name) => {
      if (name !== 'echo') fail(`connection ${number}: ${name}`);
    });
  });
}

async function openUpTo(count) {
  let next = lanes.length;
  const worker = async () => {
    while (next < count) await open(next++);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - next) }, worker));
}

async function connect() {
  report.rss_start_kb = residentKb();
  await openUpTo(1);
  await rollCall();
  await sleep(plan['settle-ms'] / 2);
  const before = residentKb();
  const began = usage();
  await openUpTo(plan.conns);
  const end = usage();
  await rollCall();
  await sleep(plan['settle-ms']);
  const others = plan.conns - 1;
  report.conns = plan.conns;
  report.opened = lanes.length;
  report.rss_before_kb = before;
  report.rss_open_kb = residentKb();
  report.rss_per_conn_b = ((report.rss_open_kb - before) * 1024) / others;
  report.connects_s = others / (end.at - began.at);
  report.connect_cpu_ms_per_1000 = ((end.cpu - began.cpu) * 1e6) / others;
}

function window(began) {
  const end = usage();
  report.window_from = began.at;
  report.wall_s = end.at - began.at;
  report.cli_cpu_s = end.cpu - began.cpu;
  report.cli_user_s = end.user - began.user;
  report.cli_sys_s = end.sys - began.sys;
}

async function rest() {
  const began = usage();
  await sleep(Math.min(plan.secs, LONGEST) * 1e3);
  window(began);
  report.rss_end_kb = residentKb();
}

async function echo() {
  echoing = true;
  for (const lane of lanes) for (let i = 0; i < plan.inflight; i++) emit(lane);
  await sleep(plan.warmup * 1e3);
  const before = received;
  const began = usage();
  const least = Math.min(plan.secs, LONGEST);
  const latest = began.at + Math.min(3 * least, LONGEST);
  await sleep(least * 1e3);
  while (Date.now() / 1e3 < latest && usage().cpu - began.cpu < 0.7 * least) await sleep(40);
  window(began);
  report.echoed = received - before;
  echoing = false;
  report.rss_end_kb = residentKb();
  report.msgs_s = report.echoed / report.wall_s;
  report.cli_cpu_s_per_M = (report.cli_cpu_s * 1e6) / report.echoed;
  report.cli_user_share = report.cli_user_s / (report.cli_user_s + report.cli_sys_s);
}

async function drain() {
  const end = Date.now() + DRAINING;
  while (received < sent && Date.now() < end) await sleep(5);
  if (received < sent) fail(`${sent - received} messages lost`);
}

// One message on each connection: whether all of them are there.
async function rollCall() {
  await drain();
  lanes.forEach(emit);
  await drain();
}

async function close() {
  closing = true;
  for (const lane of lanes) lane.socket.disconnect();
  lanes.length = 0;
  await sleep(plan['settle-ms']);
  report.rss_closed_kb = residentKb();
}

(async () => {
  await connect();
  if (errors === 0 && lanes.length === plan.conns) {
    await (plan.inflight > 0 ? echo() : rest());
    await rollCall();
  }
  await close();
  const lost = sent - received;
  const ok = errors === 0 && lost === 0;
  console.log(JSON.stringify({ ...report, sent, received, lost, errors, error_text: firstError, ok }));
  process.exit(ok ? 0 : 1);
})();
