// The contract driver, written with the official client: obeys JSON commands on stdin, reports JSON lines on stdout.
//
//   node reference/contract-driver.mjs
//
// It exists to prove the suites in `driver/`: a case is right only if the official client passes it too. Commands and
// reports are listed in the README of this package.

import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import msgpack from "socket.io-msgpack-parser";
import { decode, encode } from "../support/values.mjs";

/** All but `bad-handshake`: the official client throws where nobody can catch it. */
const FEATURES = [
  "polling",
  "websocket",
  "upgrade",
  "msgpack",
  "reconnect-polling",
  "reconnect-websocket",
  "attempts",
  "recovery",
  "buffer",
  "volatile",
  "ack-timeout",
  "open-timeout",
  "query",
  "multiplex",
  "max-payload",
  "strict",
  "auth-refresh",
  "retries",
  "options",
];

const sockets = new Map();

const operations = {
  open({ s, url, nsp = "/", opts = {} }) {
    const { share, ...rest } = opts;
    const options = { forceNew: true, ...translated(rest) };
    watch(s, share === undefined ? io(url + nsp, options) : known(share).io.socket(nsp, options));
  },

  emit({ s, event, args = [], ack, volatile, timeout }) {
    let socket = known(s);
    if (volatile) socket = socket.volatile;
    if (timeout !== undefined) socket = socket.timeout(timeout);
    socket.emit(event, ...args.map(decode), ...(ack === undefined ? [] : [answered(s, ack)]));
  },

  answer({ s, event, mode }) {
    const socket = known(s);
    socket.off(event);
    if (mode === "never") return;
    socket.on(event, (...args) => {
      const last = args.pop();
      if (typeof last === "function") last(...(mode === "echo" ? args : mode.args.map(decode)));
    });
  },

  disconnect: ({ s }) => known(s).disconnect(),

  connect: ({ s }) => known(s).connect(),
};

function known(s) {
  const socket = sockets.get(s);
  if (!socket) throw new Error(`no socket is called ${s}`);
  return socket;
}

function translated({ headers, parser, authSequence, ...options }) {
  if (headers) options.extraHeaders = headers;
  if (parser === "msgpack") options.parser = msgpack;
  if (authSequence) options.auth = oneByOne(authSequence);
  return options;
}

/** Another payload for each connection; the last one for all that follow. */
function oneByOne([...payloads]) {
  return (connect) => connect(payloads.length > 1 ? payloads.shift() : payloads[0]);
}

function answered(s, ack) {
  const tell = (error, ...args) => {
    if (!error) report({ ev: "ack", s, ack, args });
    else report({ ev: "ack", s, ack, error: error.message.includes("timed out") ? "timeout" : "disconnected" });
  };
  // As `emitWithAck` has it, which gives the first argument alone: tell me also if there will be no answer.
  tell.withError = true;
  return tell;
}

function watch(s, socket) {
  const manager = socket.io;
  sockets.set(s, socket);
  socket.on("connect", () => report({ ev: "connect", s, id: socket.id, recovered: socket.recovered === true }));
  socket.on("disconnect", (reason) => report({ ev: "disconnect", s, reason }));
  socket.on("connect_error", ({ message, data }) => report({ ev: "connect_error", s, message, data }));
  socket.onAny((event, ...args) => report({ ev: "event", s, name: event, args: withoutAck(args) }));
  manager.on("reconnect_failed", () => report({ ev: "reconnect_failed", s }));
  manager.on("open", () => {
    manager.engine.on("upgrade", ({ name }) => report({ ev: "upgrade", s, transport: name }));
  });
}

function withoutAck(args) {
  return typeof args.at(-1) === "function" ? args.slice(0, -1) : args;
}

function report(line) {
  process.stdout.write(JSON.stringify(encode(line)) + "\n");
}

report({ ev: "ready", features: FEATURES });

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const { op, ...command } = JSON.parse(line);
    if (!Object.hasOwn(operations, op)) throw new Error(`no command is called ${op}`);
    operations[op](command);
  } catch (error) {
    report({ ev: "error", message: error.stack });
  }
}
process.exit(0);
