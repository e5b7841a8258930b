// The contract server, written with the official `socket.io` package.
//
//   node reference/contract-server.mjs --port N [--recovery] [--eio3] [--parser msgpack] [--deflate | --deflate-context]
//
// It exists to prove the suites: a case is right only if it passes against this server too.

import { createServer as createHttpServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { parseArgs } from "node:util";
import { Server } from "socket.io";
import msgpack from "socket.io-msgpack-parser";

const { values: args } = parseArgs({
  options: {
    port: { type: "string" },
    recovery: { type: "boolean", default: false },
    eio3: { type: "boolean", default: false },
    parser: { type: "string" },
    deflate: { type: "boolean", default: false },
    "deflate-context": { type: "boolean", default: false },
  },
});
if (!args.port || ![undefined, "msgpack"].includes(args.parser)) {
  console.error("usage: contract-server.mjs --port N [--recovery] [--eio3] [--parser msgpack] [--deflate | --deflate-context]");
  process.exit(2);
}

const http = createHttpServer();
const io = new Server(http, {
  pingInterval: 1000,
  pingTimeout: 1000,
  maxHttpBufferSize: 1_000_000,
  connectTimeout: 1000,
  cors: { origin: "*" },
  allowEIO3: args.eio3,
  ...(args.parser && { parser: msgpack }),
  ...(args.deflate && { perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true } }),
  ...(args["deflate-context"] && { perMessageDeflate: true }),
  ...(args.recovery && { connectionStateRecovery: { maxDisconnectionDuration: 120_000 } }),
});

/** Socket id to the reason with which it went; the oldest are forgotten. */
const reasons = new Map();
const REASONS_KEPT = 10_000;

serve(io.of("/"));
serve(io.of(/^\/dyn-\d+$/));
serve(
  io.of("/auth").use((socket, next) => {
    if (socket.handshake.auth.token === "secret") return next();
    next(Object.assign(new Error("unauthorized"), { data: { code: 401 } }));
  }),
);

// Both loopback addresses, one engine: the second listener hands its connections to the first.
const port = Number(args.port);
http.listen(port, "127.0.0.1", () => {
  createTcpServer((connection) => http.emit("connection", connection))
    .on("error", ready)
    .listen(port, "::1", ready);
});

function ready() {
  console.log("ready");
}

function serve(namespace) {
  namespace.on("connection", (socket) => {
    const { auth, headers, query } = socket.handshake;
    socket.emit("welcome", { sid: socket.id, nsp: socket.nsp.name, auth, recovered: socket.recovered });

    const rooms = () => [...socket.rooms].filter((room) => room !== socket.id).sort();

    socket.on("echo", (...args) => socket.emit("echo", ...args));
    socket.on("echo-ack", (...args) => args.pop()(...args));
    socket.on("delay-ack", (ms, value, ack) => setTimeout(() => ack(value), ms));
    socket.on("reverse", (value, ack) => ack(reverse(value)));
    socket.on("big", (n, ack) => ack("x".repeat(n), Buffer.from(Array.from({ length: n }, (_, i) => i % 256))));
    socket.on("burst", (n) => {
      for (let i = 0; i < n; i++) socket.emit("burst", i);
    });
    socket.on("volatile", (n) => {
      for (let i = 0; i < n; i++) socket.volatile.emit("tick", i);
      socket.emit("tick-end");
    });
    socket.on("handshake", (ack) => ack({ query, headers, auth, transport: socket.conn.transport.name }));

    socket.on("join", (room, ack) => {
      socket.join(room);
      ack(rooms());
    });
    socket.on("leave", (room, ack) => {
      socket.leave(room);
      ack(rooms());
    });
    socket.on("sockets", async (room, ack) => {
      const found = await (room === null ? socket.nsp : socket.nsp.in(room)).fetchSockets();
      ack(found.map(({ id }) => id).sort());
    });
    socket.on("to-room", (room, event, ...args) => socket.to(room).emit(event, ...args));
    socket.on("volatile-to-room", (room, event, ...args) => socket.to(room).volatile.emit(event, ...args));
    socket.on("in-room", (room, event, ...args) => socket.nsp.in(room).emit(event, ...args));
    socket.on("except-room", (room, event, ...args) => socket.nsp.except(room).emit(event, ...args));
    socket.on("broadcast", (event, ...args) => socket.broadcast.emit(event, ...args));

    socket.on("ask-me", (ms, value, ack) => {
      socket.timeout(ms).emit("question", value, (error, ...answer) => ack(error ? { ok: false } : { ok: true, answer }));
    });
    socket.on("ask-room", (ms, room, value, ack) => {
      socket.nsp.in(room).timeout(ms).emit("question", value, (error, answers) => ack({ ok: !error, answers }));
    });

    socket.on("disconnect-me", (close) => socket.disconnect(close));
    socket.on("drop-me", () => socket.conn.close());
    socket.on("last-reason", (sid, ack) => ack(reasons.get(sid) ?? null));
    socket.on("clients", (ack) => ack(io.engine.clientsCount));

    socket.on("disconnect", (reason) => {
      reasons.set(socket.id, reason);
      if (reasons.size > REASONS_KEPT) reasons.delete(reasons.keys().next().value);
    });
  });
}

function reverse(value) {
  if (Buffer.isBuffer(value)) return Buffer.from(value).reverse();
  if (Array.isArray(value)) return value.map(reverse);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, reverse(inner)]));
}
