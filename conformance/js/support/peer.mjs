// One socket of the official client, with a mailbox for all that happens to it.

import { io } from "socket.io-client";
import { chosen } from "./parser.mjs";
import { Mailbox, TIMEOUT, eventually, within } from "./wait.mjs";

export class Peer {
  #box = new Mailbox();

  constructor(socket) {
    this.socket = socket;
    socket.onAny((event, ...args) => this.#box.put(event, withoutAck(args)));
    for (const event of ["connect", "connect_error", "disconnect"]) {
      socket.on(event, (...args) => this.#box.put(event, args));
    }
  }

  get id() {
    return this.socket.id;
  }

  get engine() {
    return this.socket.io.engine;
  }

  /** The arguments of the next unread event of that name. */
  next(event, ms = TIMEOUT) {
    return this.#box.take(event, ms, `"${event}" in ${this.socket.nsp}`);
  }

  /** The arguments of all unread events of that name. */
  unread(event) {
    return this.#box.takeAll(event);
  }

  async connected() {
    await this.next("connect");
    return this;
  }

  /** The error of a refused connection. */
  async refused() {
    const [error] = await this.next("connect_error");
    return error;
  }

  /** The reason with which the client saw the end. */
  async disconnected(ms = TIMEOUT) {
    const [reason] = await this.next("disconnect", ms);
    return reason;
  }

  emit(event, ...args) {
    this.socket.emit(event, ...args);
  }

  /** Emits, and gives all arguments of the acknowledgement. */
  ask(event, ...args) {
    const reply = new Promise((resolve) => this.socket.emit(event, ...args, (...answer) => resolve(answer)));
    return within(TIMEOUT, `the ack of "${event}" in ${this.socket.nsp}`, reply);
  }

  /** Emits, and gives the first argument of the acknowledgement. */
  async ask1(event, ...args) {
    const [answer] = await this.ask(event, ...args);
    return answer;
  }

  /** Sends a packet which the client would not send by itself. */
  sendPacket(packet) {
    this.socket.io._packet({ nsp: this.socket.nsp, ...packet });
  }

  /** The server has handled all that we sent, and we have received all that it had sent to us by then. */
  async settled() {
    await this.ask("echo-ack");
  }

  /** From now on the event is acknowledged with what `answer` makes of its arguments. */
  answer(event, answer) {
    this.socket.on(event, (...args) => args.pop()(...answer(...args)));
  }

  /** Waits for the websocket transport; without an upgrade at hand there is nothing to wait for. */
  async upgraded() {
    const engine = this.engine;
    if (engine.transport.name === "websocket") return;
    await within(TIMEOUT, "the upgrade to websocket", new Promise((resolve) => engine.once("upgrade", resolve)));
  }

  /** The reason with which the server saw the socket `sid` go. */
  async lastReason(sid) {
    return eventually(`the server's disconnect reason of ${sid}`, () => this.ask1("last-reason", sid), (reason) => reason !== null);
  }

  /** Waits until the server has that many sessions; those of earlier cases may still be closing. */
  async sessions(expected) {
    await eventually(`${expected} sessions`, () => this.ask1("clients"), (count) => count === expected);
  }
}

/** The three ways to connect. */
export const ways = [
  { name: "polling", transports: ["polling"], upgrades: false, transport: "polling" },
  { name: "websocket", transports: ["websocket"], upgrades: false, transport: "websocket" },
  { name: "upgrade", transports: ["polling", "websocket"], upgrades: true, transport: "websocket" },
];

/** Opens sockets one way and closes what is left of them. */
export class Clients {
  #opened = [];

  constructor(url, way, parser = chosen) {
    this.url = url;
    this.way = way;
    this.parser = parser;
  }

  /** A new connection, not awaited. `options` are those of the official client. */
  open(namespace = "/", options = {}) {
    const socket = io(this.url + namespace, {
      transports: this.way.transports,
      forceNew: true,
      reconnection: false,
      ...this.parser.options,
      ...options,
    });
    this.#opened.push(socket);
    return new Peer(socket);
  }

  /** A new connection, connected, and upgraded if this is the way. */
  async connect(namespace = "/", options = {}) {
    const peer = await this.open(namespace, options).connected();
    if (this.way.upgrades) await peer.upgraded();
    await peer.next("welcome");
    return peer;
  }

  /** Another namespace over the connection of `peer`, not awaited. */
  join(peer, namespace, options = {}) {
    const socket = peer.socket.io.socket(namespace, options);
    this.#opened.push(socket);
    return new Peer(socket);
  }

  closeAll() {
    for (const socket of this.#opened.splice(0)) {
      socket.io.reconnection(false);
      socket.disconnect();
    }
  }
}

/** Acks are functions; they are no part of what is compared. */
function withoutAck(args) {
  return typeof args.at(-1) === "function" ? args.slice(0, -1) : args;
}
