// A server written by hand, packet by packet: it does what no good server does, and sees what none shows.

import { once } from "node:events";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { Mailbox, TIMEOUT } from "./wait.mjs";

const SEPARATOR = "\x1e";

/** What a good server does; a case changes some of it. */
const GOOD = {
  /** Goes into the OPEN packet. */
  opening: {},
  /** The body of the first answer over polling, or the first message of a WebSocket, in place of an OPEN packet. */
  greeting: null,
  /** Answers no request at all. */
  silent: false,
  /** Begins the answer to the first request, or takes the WebSocket, and says no more. */
  mute: false,
  /** The status of the answer to the first request: one for all transports, or for each by its name. */
  openingStatus: 200,
  /** Headers of that answer, over polling. */
  openingHeaders: {},
  /** The status of the answer to a POST, made from its body; with 200 it is taken. */
  postStatus: () => 200,
  /** How late a POST is answered, in milliseconds. */
  postDelay: 0,
  /** The answer to `2probe`; null for none. */
  probeAnswer: "3probe",
  /** Takes no candidate for an upgrade: the status of the answer. */
  candidateStatus: 101,
};

export class RawServer {
  #behaviour;
  #http = createServer((request, response) => this.#answer(request, response));
  #webSockets = new WebSocketServer({ noServer: true });
  #connections = new Set();
  #sessions = new Map();
  #arrivals = new Mailbox();
  #port = 0;

  /** All requests: method, URL, headers. */
  requests = [];

  constructor(behaviour = {}) {
    this.#behaviour = { ...GOOD, ...behaviour };
    this.#http.on("upgrade", (...parts) => this.#upgrade(...parts));
    this.#http.on("connection", (connection) => {
      this.#connections.add(connection);
      connection.on("close", () => this.#connections.delete(connection));
    });
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** On the port it had before, if it had one. */
  async listen() {
    this.#http.listen(this.#port, "127.0.0.1");
    await once(this.#http, "listening");
    this.#port = this.#http.address().port;
    return this;
  }

  /** Changes what it does from now on. */
  behave(behaviour) {
    Object.assign(this.#behaviour, behaviour);
  }

  /** The next session that a client opens. */
  session(ms = TIMEOUT) {
    return this.#arrivals.take("session", ms, "a session");
  }

  /** Sessions that nobody waited for yet. */
  unseen() {
    return this.#arrivals.takeAll("session");
  }

  /** Breaks all connections and takes no more. */
  async close() {
    const closed = this.#http.listening && once(this.#http, "close");
    this.#http.close();
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }

  #note(request) {
    const url = new URL(request.url, this.url);
    const noted = { method: request.method, url, query: Object.fromEntries(url.searchParams), headers: request.headers };
    this.requests.push(noted);
    return noted;
  }

  #answer(request, response) {
    const noted = this.#note(request);
    if (this.#behaviour.silent) return;
    const { sid } = noted.query;
    if (sid === undefined) return this.#open(noted, response);
    const session = this.#sessions.get(sid);
    if (!session) return void response.writeHead(400).end('{"code":1,"message":"Session ID unknown"}');
    if (request.method === "GET") session.polled(response);
    else session.posted(request, response);
  }

  #open(noted, response) {
    const { greeting, mute, openingHeaders } = this.#behaviour;
    const status = this.#openingStatus(noted);
    if (status !== 200) return void response.writeHead(status).end("no");
    response.writeHead(200, openingHeaders);
    if (mute) return void response.write("0{");
    if (greeting !== null) return void response.end(greeting);
    const session = this.#newSession(noted);
    response.end(session.opening(["websocket"]));
    this.#arrivals.put("session", session);
  }

  #openingStatus({ query: { transport } }) {
    const { openingStatus } = this.#behaviour;
    return typeof openingStatus === "number" ? openingStatus : openingStatus[transport];
  }

  #newSession(noted) {
    const session = new RawSession(this.#behaviour, noted);
    this.#sessions.set(session.sid, session);
    return session;
  }

  #upgrade(request, socket, head) {
    const noted = this.#note(request);
    const { silent, mute, candidateStatus, greeting } = this.#behaviour;
    const { sid } = noted.query;
    socket.on("error", () => {});
    if (silent) return;
    const status = sid === undefined ? this.#openingStatus(noted) : 200;
    if (status !== 200) return refuse(socket, status);
    if (sid !== undefined && candidateStatus !== 101) return refuse(socket, candidateStatus);
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      if (sid !== undefined) return this.#sessions.get(sid)?.candidate(webSocket);
      if (mute) return;
      if (greeting !== null) return webSocket.send(greeting);
      const session = this.#newSession(noted);
      session.take(webSocket);
      webSocket.send(session.opening([]));
      this.#arrivals.put("session", session);
    });
  }
}

function refuse(socket, status) {
  socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
}

let sessions = 0;

/** One Engine.IO session, seen from the server. */
export class RawSession {
  #behaviour;
  #packets = new Mailbox();
  #log = [];
  #outbox = [];
  #poll = null;
  #posts = 0;
  #breaking = null;
  #webSocket = null;

  sid = `raw-${++sessions}`;
  /** What the client did against the rules of polling. */
  faults = [];
  /** The bodies of all POST requests. */
  bodies = [];

  constructor(behaviour, { query, headers }) {
    this.#behaviour = behaviour;
    this.query = query;
    this.headers = headers;
  }

  opening(upgrades) {
    const opening = { sid: this.sid, upgrades, pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000 };
    return "0" + JSON.stringify({ ...opening, ...this.#behaviour.opening });
  }

  get transport() {
    return this.#webSocket ? "websocket" : "polling";
  }

  /** Sends Engine.IO packets: text with its type, or bytes. */
  send(...packets) {
    for (const packet of packets) {
      if (this.#webSocket) this.#webSocket.send(packet);
      else this.#outbox.push(packet);
    }
    this.#flush();
  }

  /** The next packet of the client; pongs are left out. */
  next(ms = TIMEOUT) {
    return this.#packets.take("packet", ms, `a packet of ${this.sid}`);
  }

  /** The next packet that starts with this text. */
  async nextLike(start, ms = TIMEOUT) {
    for (;;) {
      const packet = await this.next(ms);
      if (typeof packet === "string" && packet.startsWith(start)) return packet;
    }
  }

  /** The packets that came and were not asked for. */
  unread() {
    return this.#packets.takeAll("packet");
  }

  /** All that came, pongs and probes included, in order. */
  get all() {
    return this.#log;
  }

  /** The next pong. */
  pong(ms = TIMEOUT) {
    return this.#packets.take("pong", ms, `a pong of ${this.sid}`);
  }

  /** The end of the WebSocket: its close code. */
  ended(ms = TIMEOUT) {
    return this.#packets.take("end", ms, `the end of the WebSocket of ${this.sid}`);
  }

  /** Takes the client into a namespace; gives its CONNECT packet. */
  async admit(nsp = "/", payload = {}) {
    const name = nsp === "/" ? "" : `${nsp},`;
    const packet = await this.nextLike(`40${name}`);
    this.send(`40${name}${JSON.stringify({ sid: `socket of ${this.sid}`, ...payload })}`);
    return packet;
  }

  /** Ends the connection as a server does that means it. */
  close() {
    if (this.#webSocket) this.#webSocket.close();
    else this.send("1");
  }

  /** Writes bytes that are no frame. */
  writeGarbage() {
    this.#webSocket._socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
  }

  /** Answers the pending poll, or the next one, with an error. */
  refusePoll(status) {
    this.#outbox.push({ status });
    this.#flush();
  }

  /** Breaks the connection: the WebSocket, or the one of the pending poll, or of the next. */
  break({ reset = false } = {}) {
    const socket = this.#webSocket?._socket ?? this.#poll?.socket;
    this.#breaking = socket ? null : { reset };
    this.#poll = null;
    if (reset) socket?.resetAndDestroy();
    else socket?.destroy();
  }

  take(webSocket) {
    this.#webSocket = webSocket;
    this.#listen(webSocket);
  }

  candidate(webSocket) {
    this.#listen(webSocket);
  }

  polled(response) {
    if (this.#webSocket) this.faults.push("a poll after the upgrade");
    if (this.#poll) this.faults.push("two polls at once");
    this.#poll = response;
    if (this.#breaking) return this.break(this.#breaking);
    response.on("close", () => (this.#poll = this.#poll === response ? null : this.#poll));
    this.#flush();
  }

  async posted(request, response) {
    if (this.#webSocket) this.faults.push("a POST after the upgrade");
    if (this.#posts++ > 0) this.faults.push("two POSTs at once");
    const body = await wholeBody(request);
    await new Promise((resolve) => setTimeout(resolve, this.#behaviour.postDelay));
    this.#posts--;
    if (body === null) return;
    this.bodies.push(body);
    const status = this.#behaviour.postStatus(body);
    if (status !== 200) return void response.writeHead(status).end("no");
    for (const packet of body.split(SEPARATOR)) {
      this.#came(packet[0] === "b" ? Buffer.from(packet.slice(1), "base64") : packet);
    }
    response.end("ok");
  }

  #listen(webSocket) {
    webSocket.on("error", () => {});
    webSocket.on("close", (code) => webSocket === this.#webSocket && this.#packets.put("end", code));
    webSocket.on("message", (data, isBinary) => {
      const packet = isBinary ? data : data.toString();
      if (packet === "2probe") this.#probed(webSocket);
      else if (packet === "5" && webSocket !== this.#webSocket) this.#switch(webSocket);
      this.#came(packet);
    });
  }

  #probed(webSocket) {
    const { probeAnswer } = this.#behaviour;
    if (probeAnswer === null) return;
    webSocket.send(probeAnswer);
    if (probeAnswer !== "3probe") return;
    // The client waits for its poll; it may begin another one before it reads the answer to its probe.
    const timer = setInterval(() => this.#poll && !this.#webSocket && this.send("6"), 20);
    webSocket.on("message", (data) => data.toString() === "5" && clearInterval(timer));
    webSocket.on("close", () => clearInterval(timer));
  }

  #switch(webSocket) {
    if (this.#poll) this.faults.push("the upgrade came while a poll was pending");
    this.#webSocket = webSocket;
    const waiting = this.#outbox.splice(0);
    for (const packet of waiting) webSocket.send(packet);
  }

  #came(packet) {
    this.#log.push(packet);
    if (packet === "3") this.#packets.put("pong", true);
    else if (packet !== "2probe") this.#packets.put("packet", packet);
  }

  #flush() {
    if (!this.#poll || this.#outbox.length === 0) return;
    const poll = this.#poll;
    this.#poll = null;
    const refused = this.#outbox.findIndex((packet) => packet.status !== undefined);
    if (refused === 0) return void poll.writeHead(this.#outbox.shift().status).end("no");
    const packets = this.#outbox.splice(0, refused === -1 ? this.#outbox.length : refused);
    poll.end(packets.map((packet) => (Buffer.isBuffer(packet) ? "b" + packet.toString("base64") : packet)).join(SEPARATOR));
  }
}

/** Null if the client broke it off. */
async function wholeBody(request) {
  const chunks = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return null;
  }
  return Buffer.concat(chunks).toString();
}
