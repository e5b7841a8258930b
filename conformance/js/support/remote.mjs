// Sockets of a client under test, which lives in a process of its own: its driver.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { root, words } from "./process.mjs";
import { decode, encode } from "./values.mjs";
import { Mailbox, TIMEOUT, eventually, within } from "./wait.mjs";

export class Driver {
  #child;
  #remotes = new Map();
  #count = 0;
  #errors = [];
  #stderr = "";
  #stopping = false;

  /** What the client can do; the README of this package lists the words. */
  features = new Set();

  async start(commandLine) {
    const [command, ...args] = words(commandLine);
    this.#child = spawn(command, args, { cwd: root, stdio: ["pipe", "pipe", "pipe"] });
    this.#child.once("exit", (code, signal) => this.#ended(signal ?? code));
    // It may be gone when it is told something.
    this.#child.stdin.on("error", () => {});
    this.#child.stderr.setEncoding("utf8").on("data", (text) => (this.#stderr = (this.#stderr + text).slice(-8000)));
    const reports = createInterface({ input: this.#child.stdout });
    const ready = new Promise((resolve, reject) => {
      reports.on("line", (line) => this.#read(JSON.parse(line), resolve));
      this.#child.once("error", reject);
      this.#child.once("exit", (code) => reject(new Error(`it ended with ${code}\n${this.#stderr}`)));
    });
    this.features = new Set(await within(2 * TIMEOUT, `the driver \`${commandLine}\``, ready));
  }

  #ended(how) {
    if (!this.#stopping) this.#errors.push(`it ended with ${how}\n${this.#stderr}`);
  }

  #read(report, ready) {
    if (report.ev === "ready") ready(report.features);
    else if (report.ev === "error") this.#errors.push(report.message);
    else this.#remotes.get(report.s)?.take(report);
  }

  /** Throws if the driver had something to complain about. */
  check() {
    const errors = this.takeErrors();
    if (errors.length > 0) throw new Error(`the driver: ${errors.join("\n")}`);
  }

  /** A socket, not opened. */
  remote(nsp) {
    const remote = new Remote(this, `${nsp} ${++this.#count}`, nsp);
    this.#remotes.set(remote.name, remote);
    return remote;
  }

  command(command) {
    this.write(JSON.stringify(encode(command)));
  }

  /** A line as it is, a command or not. */
  write(line) {
    this.#child.stdin.write(line + "\n");
  }

  /** The errors that it told of; they are no longer complained about. */
  takeErrors() {
    return this.#errors.splice(0);
  }

  /** Ends its stdin; gives its exit code. */
  async stop() {
    if (!this.#child || this.#child.exitCode !== null) return this.#child?.exitCode;
    const gone = once(this.#child, "exit");
    this.#stopping = true;
    this.#child.stdin.end();
    try {
      const [code] = await within(TIMEOUT, "the end of the driver", gone);
      return code;
    } finally {
      this.#child.kill("SIGKILL");
    }
  }
}

export class Remote {
  #driver;
  #acks = 0;
  #states = new Mailbox();
  #events = new Mailbox();

  /** Its id since it was last connected. */
  id = null;
  /** All that the driver reported of it, in order. */
  reports = [];

  constructor(driver, name, nsp) {
    this.#driver = driver;
    this.name = name;
    this.nsp = nsp;
  }

  /** What the driver reports. */
  take(report) {
    this.reports.push(report);
    if (report.ev === "event") return this.#events.put(report.name, decode(report.args));
    if (report.ev === "ack") return this.#states.put(`ack ${report.ack}`, decode(report.args) ?? report.error);
    if (report.ev === "connect") this.id = report.id;
    this.#states.put(report.ev, report);
  }

  command(op, parameters) {
    this.#driver.command({ op, s: this.name, ...parameters });
  }

  async connected(ms = TIMEOUT) {
    await this.#states.take("connect", ms, `the connection to ${this.nsp}`);
    return this;
  }

  /** Connected again: whether it was recovered. */
  async reconnected(ms = TIMEOUT) {
    const { recovered } = await this.#states.take("connect", ms, `the connection to ${this.nsp}`);
    return recovered;
  }

  /** The message and the data of a refused connection. */
  async refused() {
    const { message, data } = await this.#states.take("connect_error", TIMEOUT, `the refusal by ${this.nsp}`);
    return { message: message ?? null, data: data ?? null };
  }

  /** The reason with which the client saw the end. */
  async disconnected(ms = TIMEOUT) {
    const { reason } = await this.#states.take("disconnect", ms, `the disconnection from ${this.nsp}`);
    return reason;
  }

  /** The attempts to reconnect are used up. */
  async gaveUp() {
    await this.#states.take("reconnect_failed", TIMEOUT, `the last attempt for ${this.nsp}`);
  }

  /** The number of reports of that kind so far. */
  count(kind) {
    return this.reports.filter(({ ev }) => ev === kind).length;
  }

  /** It was not disconnected, as far as the client has told. */
  get stayed() {
    return this.#states.takeAll("disconnect").length === 0;
  }

  emit(event, ...args) {
    this.command("emit", { event, args });
  }

  /** Emits, and gives all arguments of the acknowledgement. */
  ask(event, ...args) {
    return this.#ask({ event, args });
  }

  /** Emits, and gives the first argument of the acknowledgement. */
  async ask1(event, ...args) {
    const [answer] = await this.ask(event, ...args);
    return answer;
  }

  /** Emits with the client's own time-out; gives all arguments of the acknowledgement, or "timeout", or "disconnected". */
  askWithin(timeout, event, ...args) {
    return this.#ask({ event, args, timeout });
  }

  /** Emits with more parameters of the command; gives what `ask` or `askWithin` give. */
  askWith(parameters, event, ...args) {
    return this.#ask({ event, args, ...parameters });
  }

  #ask(parameters) {
    const ack = ++this.#acks;
    this.command("emit", { ...parameters, ack });
    return this.#states.take(`ack ${ack}`, TIMEOUT, `the ack of "${parameters.event}" in ${this.nsp}`);
  }

  /** From now on the event is acknowledged: with its own arguments ("echo"), others ({ args }), or "never". */
  answer(event, mode) {
    this.command("answer", { event, mode });
  }

  /** The arguments of the next unread event of that name. */
  next(event, ms = TIMEOUT) {
    return this.#events.take(event, ms, `"${event}" in ${this.nsp}`);
  }

  /** The arguments of the next `count` events of that name. */
  async nextFew(count, event) {
    const found = [];
    while (found.length < count) found.push(await this.next(event));
    return found;
  }

  /** The arguments of all unread events of that name. */
  unread(event) {
    return this.#events.takeAll(event);
  }

  /** The server has handled all that we sent, and we have received all that it had sent to us by then. */
  async settled() {
    await this.ask("echo-ack");
  }

  /** The server has it on its last transport. */
  async upgraded() {
    await eventually("the upgrade", () => this.ask1("handshake"), ({ transport }) => transport === "websocket");
  }

  /** The reason with which the server saw the socket `sid` go. */
  lastReason(sid) {
    return eventually(`the server's disconnect reason of ${sid}`, () => this.ask1("last-reason", sid), (reason) => reason !== null);
  }

  /** Waits until the server has that many sessions; those of earlier cases may still be closing. */
  sessions(expected) {
    return eventually(`${expected} sessions`, () => this.ask1("clients"), (count) => count === expected);
  }
}
