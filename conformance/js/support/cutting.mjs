// A TCP proxy that cuts its connections, in the middle of whatever they carry.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class CuttingProxy {
  #target;
  #server;
  #open = new Set();
  #planned = null;

  constructor(target) {
    this.#target = target;
  }

  async listen() {
    this.#server = createServer((client) => this.#join(client, connect(this.#target, "127.0.0.1")));
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this.#server.address().port;
  }

  /**
   * Cuts all connections when so many more `bytes` have gone in one direction ("up", to the server, or "down"), at
   * the latest after `ms`. With `reset`, what is still under way is lost too. Resolves when it is done.
   */
  cutAfter({ bytes, direction, ms, reset }) {
    this.disarm();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#finish(), ms);
      this.#planned = { bytes, direction, reset, timer, resolve };
    });
  }

  /** Cuts all connections now. */
  cut({ reset = false } = {}) {
    this.#planned ??= { resolve() {} };
    this.#planned.reset = reset;
    this.#finish();
  }

  disarm() {
    clearTimeout(this.#planned?.timer);
    this.#planned = null;
  }

  close() {
    this.disarm();
    this.#server?.close();
    for (const socket of this.#open) socket.destroy();
  }

  #join(client, server) {
    for (const [from, to, direction] of [[client, server, "up"], [server, client, "down"]]) {
      this.#open.add(from);
      from.setNoDelay(true);
      from.on("data", (chunk) => this.#pass(chunk, to, direction));
      // The end of one side is that of the other; what was written before it arrives before it.
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#open.delete(from);
        to.end();
      });
    }
  }

  #pass(chunk, to, direction) {
    const planned = this.#planned;
    if (planned?.cutting) return;
    if (planned?.direction !== direction) return void to.write(chunk);
    planned.bytes -= chunk.length;
    if (planned.bytes > 0) return void to.write(chunk);
    planned.cutting = true;
    to.write(chunk.subarray(0, chunk.length + planned.bytes), () => planned === this.#planned && this.#finish());
  }

  #finish() {
    const { reset, resolve } = this.#planned;
    this.disarm();
    for (const socket of this.#open) {
      // A socket that is shutting down cannot be reset, and would be left half open.
      if (reset && !socket.writableEnded) socket.resetAndDestroy();
      else socket.destroy();
    }
    resolve();
  }
}
