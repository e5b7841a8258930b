// A client under test: obeys JSON commands on stdin, reports JSON lines on stdout.
//
//   node clients/driver.mjs PACKAGE      one of the packages of socket.io-client in package.json
//
// The commands and reports are listed in the README of this package.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { decode, encode } from "../support/values.mjs";

const name = process.argv[2];
const generation = Number(createRequire(import.meta.url)(`${name}/package.json`).version.split(".")[0]);
const imported = await import(name);
const io = imported.io ?? imported.default;

const FEATURES = [
  ["leave", 2],
  ["share", 2],
  ["buffer", 2],
  ["reconnect-polling", 2],
  ["reconnect-websocket", 2],
  ["auth", 3],
  ["refusal", 3],
  ["volatile", 3],
  ["ack-timeout", 4],
];

const sockets = new Map();

const operations = {
  open({ s, url, nsp = "/", opts = {} }) {
    const { share, also = {}, ...rest } = opts;
    const options = { forceNew: true, ...translated(rest) };
    const socket = share === undefined ? io(url + nsp, options) : sockets.get(share).io.socket(nsp, options);
    watch(s, socket);
    for (const [other, namespace] of Object.entries(also)) watch(other, socket.io.socket(namespace, options));
  },

  emit({ s, event, args = [], ack, volatile, timeout }) {
    let socket = sockets.get(s);
    if (volatile) socket = socket.volatile;
    if (timeout !== undefined) socket = socket.timeout(timeout);
    const answered = (...answer) => report({ ev: "ack", s, ack, args: answer });
    const timed = (error, ...answer) => (error ? report({ ev: "ack", s, ack, error: "timeout" }) : answered(...answer));
    const last = ack === undefined ? [] : [timeout === undefined ? answered : timed];
    socket.emit(event, ...args.map(decode), ...last);
  },

  answer({ s, event, mode }) {
    const socket = sockets.get(s);
    socket.off(event);
    if (mode === "never") return;
    socket.on(event, (...args) => {
      const ack = args.pop();
      ack(...(mode === "echo" ? args : mode.args.map(decode)));
    });
  },

  disconnect: ({ s }) => sockets.get(s).disconnect(),

  connect({ s }) {
    const socket = sockets.get(s);
    const { engine } = socket.io;
    // The end of an old connection takes the new one along, before version 4.
    if (generation < 4 && engine.readyState === "closing") engine.once("close", () => socket.connect());
    else socket.connect();
  },
};

/** Revision 2 has no payload of CONNECT; what it has instead is a query for the namespace. */
function translated({ headers, auth, query, ...options }) {
  if (headers) options.extraHeaders = headers;
  if (generation > 2) return { ...options, ...(auth && { auth }), ...(query && { query }) };
  return auth || query ? { ...options, query: { ...query, ...auth } } : options;
}

function watch(s, socket) {
  sockets.set(s, socket);
  socket.on("connect", () => report({ ev: "connect", s, id: socket.id, recovered: socket.recovered === true }));
  socket.on("disconnect", (reason) => report({ ev: "disconnect", s, reason }));
  socket.on("connect_error", refused);
  if (generation === 2) {
    socket.on("error", refused);
    watchLegacyEvents(s, socket);
  } else {
    socket.onAny((event, ...args) => report({ ev: "event", s, name: event, args: withoutAck(args) }));
  }

  function refused(error) {
    const { message, data } = Object(error);
    // Revision 2 is given the data of the refusal alone, or its message if there is none.
    if (typeof error === "string") report({ ev: "connect_error", s, message: error });
    else if (message === undefined) report({ ev: "connect_error", s, data: error });
    else report({ ev: "connect_error", s, message, data });
  }
}

/** Revision 2 has no way to listen to all events. */
function watchLegacyEvents(s, socket) {
  const receive = socket.onevent.bind(socket);
  socket.onevent = (packet) => {
    const [event, ...args] = packet.data;
    report({ ev: "event", s, name: event, args });
    receive(packet);
  };
}

function withoutAck(args) {
  return typeof args.at(-1) === "function" ? args.slice(0, -1) : args;
}

function report(line) {
  process.stdout.write(JSON.stringify(encode(line)) + "\n");
}

const features = FEATURES.filter(([, since]) => generation >= since).map(([feature]) => feature);
report({ ev: "ready", features });

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const { op, ...command } = JSON.parse(line);
    operations[op](command);
  } catch (error) {
    report({ ev: "error", message: error.stack });
  }
}
process.exit(0);
