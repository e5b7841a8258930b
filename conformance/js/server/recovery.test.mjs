import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { io } from "socket.io-client";
import { CuttingProxy } from "../support/cutting.mjs";
import { chosen } from "../support/parser.mjs";
import { ways } from "../support/peer.mjs";
import { Random } from "../support/random.mjs";
import { contractServer } from "../support/suite.mjs";
import { TIMEOUT, eventually, within } from "../support/wait.mjs";

const SEED = Number(process.env.RECOVERY_SEED ?? Date.now() % 1_000_000);

/** Disconnections of each client in the stream, and in each of the other cases. */
const ROUNDS = Number(process.env.RECOVERY_ROUNDS ?? 70);
const NOISY_ROUNDS = 20;

/** The least share of connections that must be recovered; the official server is only watched. */
const RECOVERED = process.env.RECOVERY_ONLY_REPORT ? 0 : 0.95;

const SPACING = 2;

// All ways at once: what they do is mostly waiting.
describe("connection state recovery", { concurrency: true }, () => {
  const server = contractServer(["--recovery"]);

  for (const [i, way] of ways.entries()) {
    const lane = (salt) => new Lane(server, way, new Random(SEED + 100 * i + salt));

    test(`S-085 no gap and no duplicate in a stream over a network that breaks anywhere, by ${way.name}`, async (context) => {
      await playing(lane(1), context, async (one) => {
        one.stream();
        await one.breakAtRandom(ROUNDS);
      });
    });

    test(`S-089 a volatile event with a trailing string does not spoil it, by ${way.name}`, async (context) => {
      await playing(lane(2), context, (one) =>
        one.breakAfterEach(NOISY_ROUNDS, "noise", () => one.sender.emit("volatile-to-room", one.room, "noise", "no offset")),
      );
    });

    test(`S-089 an event that asks for an answer does not spoil it, by ${way.name}`, async (context) => {
      await playing(lane(3), context, (one) =>
        one.breakAfterEach(NOISY_ROUNDS, "question", () =>
          one.sender.emit("ask-room", 10, one.room, "no offset either", () => {}),
        ),
      );
    });
  }
});

async function playing(lane, context, body) {
  try {
    await lane.open();
    await body(lane);
    await lane.catchUp();
  } finally {
    context.diagnostic(lane.summary());
    lane.close();
  }
  lane.check();
}

/** One client behind a network that breaks, and another that sends it numbers. */
class Lane {
  #server;
  #way;
  #random;
  #proxy;
  #timer = null;
  #sent = 0;
  #last = 0;
  #inRoom = false;
  /** The client is a new one, and what was sent before it joined the room is not for it. */
  #anew = true;
  #gone = [];
  #id = null;
  #connectedBefore = false;

  disconnections = 0;
  recovered = 0;
  lost = 0;
  events = 0;
  gaps = [];
  duplicates = [];
  corrupted = [];
  unexpected = [];
  leftOver = 0;
  stalled = null;

  constructor(server, way, random) {
    this.#server = server;
    this.#way = way;
    this.#random = random;
    this.room = `stream ${random.next()}`;
  }

  async open() {
    this.#proxy = new CuttingProxy(this.#server.port);
    const port = await this.#proxy.listen();
    this.sender = io(this.#server.url, { transports: ["websocket"], forceNew: true, ...chosen.options });
    this.receiver = io(`http://127.0.0.1:${port}`, {
      transports: this.#way.transports,
      forceNew: true,
      reconnectionDelayMax: 20,
      randomizationFactor: 0,
      timeout: 1000,
      ...chosen.options,
    });
    this.#hurry();
    this.receiver.on("connect", () => this.#connected());
    this.receiver.on("disconnect", (reason) => this.#disconnected(reason));
    this.receiver.io.on("reconnect_error", () => this.#hurry());
    this.receiver.on("number", (...args) => this.#received(args));
    await this.#joined();
  }

  close() {
    clearInterval(this.#timer);
    this.#proxy?.close();
    this.receiver?.io.reconnection(false);
    this.receiver?.disconnect();
    this.sender?.disconnect();
  }

  #hurry() {
    this.receiver.io.reconnectionDelay(this.#random.between(1, 20));
  }

  #connected() {
    const { id, recovered } = this.receiver;
    if (this.disconnections > 0) recovered ? this.recovered++ : this.lost++;
    this.#connectedBefore = true;
    if (recovered && id !== this.#id) this.unexpected.push("recovered with another id");
    this.#id = id;
    if (!recovered) {
      this.#inRoom = false;
      this.#anew = true;
    }
    if (!this.#inRoom) this.receiver.emit("join", this.room, () => (this.#inRoom = true));
  }

  #disconnected(reason) {
    if (reason === "io client disconnect") return;
    if (reason === "io server disconnect" || reason === "parse error") this.unexpected.push(reason);
    this.#hurry();
    // The client forgets to: what it was sent again before it was let in comes a third time after the next connection.
    this.leftOver += this.receiver.receiveBuffer.length;
    this.receiver.receiveBuffer.length = 0;
    // The client says so too when a connection breaks before it was let in.
    if (!this.#connectedBefore) return;
    this.#connectedBefore = false;
    this.disconnections++;
    for (const tell of this.#gone.splice(0)) tell();
  }

  #received([number, ...rest]) {
    this.events++;
    if (number <= this.#last) {
      this.duplicates.push(`${number} after ${this.#last}`);
      return;
    }
    if (number !== this.#last + 1 && !this.#anew) this.gaps.push(`${number} after ${this.#last}`);
    this.#last = number;
    this.#anew = false;
    // What comes last is the offset.
    const complete = payload(number).every((value, i) => (Buffer.isBuffer(value) ? value.equals(rest[i]) : value === rest[i]));
    if (!complete) this.corrupted.push(number);
  }

  #send() {
    const number = ++this.#sent;
    this.sender.emit("to-room", this.room, "number", number, ...payload(number));
  }

  stream() {
    this.#timer = setInterval(() => this.#send(), SPACING);
  }

  #joined() {
    return eventually("the client in its room", () => this.#inRoom && this.receiver.connected, Boolean, 4 * TIMEOUT);
  }

  #nextDisconnection() {
    return within(4 * TIMEOUT, "a disconnection", new Promise((resolve) => this.#gone.push(resolve)));
  }

  /** Cuts again and again, also while the client is coming back, until it was disconnected so often. */
  async breakAtRandom(rounds) {
    const random = this.#random;
    while (this.disconnections < rounds) {
      const direction = random.chance(0.7) ? "down" : "up";
      const bytes = random.chance(0.3) ? random.between(1, 700) : random.between(1, 5000);
      await this.#proxy.cutAfter({ bytes, direction, ms: random.between(5, 150), reset: random.chance(0.5) });
    }
  }

  /** Cuts as soon as the client has this event, and sends numbers while it is away. */
  async breakAfterEach(rounds, event, provoke) {
    for (let round = 0; round < rounds; round++) {
      await this.#joined();
      for (let i = this.#random.between(1, 3); i > 0; i--) this.#send();
      await this.#upToDate();
      const arrival = new Promise((resolve) => this.receiver.once(event, resolve));
      // A volatile event is dropped while no poll is pending.
      const timer = setInterval(provoke, 20);
      provoke();
      await within(TIMEOUT, event, arrival).finally(() => clearInterval(timer));
      const gone = this.#nextDisconnection();
      const reset = this.#random.chance(0.5);
      this.#proxy.cut({ reset });
      // Over polling there may be nothing to cut until the next poll.
      const cutting = setInterval(() => this.#proxy.cut({ reset }), 5);
      await gone.finally(() => clearInterval(cutting));
      for (let i = this.#random.between(1, 5); i > 0; i--) this.#send();
    }
  }

  #upToDate() {
    return eventually("the last number", () => this.#last, (last) => last === this.#sent);
  }

  /** With the network whole again, nothing is missing in the end. */
  async catchUp() {
    this.#proxy.disarm();
    await this.#joined();
    clearInterval(this.#timer);
    this.#send();
    try {
      await this.#upToDate();
    } catch (error) {
      this.stalled = error.message;
    }
  }

  check() {
    assert.deepEqual(this.unexpected, [], "what no network does");
    assert.deepEqual(this.corrupted, [], "events that came with other arguments");
    if (RECOVERED === 0) return;
    assert.equal(this.stalled, null);
    assert.deepEqual(this.gaps, [], "gaps");
    assert.deepEqual(this.duplicates, [], "duplicates");
    const share = this.recovered / (this.recovered + this.lost);
    assert.ok(share >= RECOVERED, `${share} of the connections were recovered`);
  }

  summary() {
    const { disconnections, recovered, lost, events, leftOver } = this;
    const [gaps, duplicates] = [this.gaps.length, this.duplicates.length];
    return (
      `seed ${SEED}, ${this.#way.name}: ${disconnections} disconnections, ${recovered} recovered, ${lost} not; ` +
      `${events} of ${this.#sent} events, ${gaps} gaps, ${duplicates} duplicates, ${leftOver} left over in the client` +
      (this.stalled ? `; stalled: ${this.stalled}` : "")
    );
  }
}

/** Arguments which the number tells: text of any length, and now and then binary. */
function payload(number) {
  const text = "é".repeat(number % 60);
  return number % 7 === 0 ? [text, Buffer.alloc(number % 90, number)] : [text];
}
