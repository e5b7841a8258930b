// What a behaviour has to play with.

/** What clients have unless a stage says otherwise: no driver lists it. */
const ALL = ["several", "numbers beyond 64 bits"];

/** One client, one server, one way to connect. */
export class Stage {
  #opened = [];

  constructor({ client, driver, server, way }) {
    Object.assign(this, { client, driver, server, way });
  }

  has(feature) {
    return ALL.includes(feature) || this.driver.features.has(feature);
  }

  /** A new connection, not awaited. `options` are those of the command `open`. */
  open(nsp = "/", options = {}) {
    return this.openSeveral([nsp], options)[0];
  }

  /** One new connection to several namespaces, not awaited. */
  openSeveral([nsp, ...others], options = {}) {
    const first = this.#remote(nsp);
    const further = others.map((other) => this.#remote(other));
    const also = Object.fromEntries(further.map((remote) => [remote.name, remote.nsp]));
    const { transports } = this.way;
    const opts = { transports, reconnection: false, ...options, ...(others.length > 0 && { also }) };
    first.command("open", { url: this.server.url, nsp, opts });
    return [first, ...further];
  }

  /** Another namespace over the connection of `remote`, not awaited. */
  join(remote, nsp, options = {}) {
    const joined = this.#remote(nsp);
    joined.command("open", { url: this.server.url, nsp, opts: { ...options, share: remote.name } });
    return joined;
  }

  #remote(nsp) {
    const remote = this.driver.remote(nsp);
    this.#opened.push(remote);
    return remote;
  }

  /** A new connection, connected and welcomed, and upgraded if this is the way. */
  async connect(nsp = "/", options = {}) {
    const remote = await this.open(nsp, options).connected();
    if (this.way.upgrades) await remote.upgraded();
    await remote.next("welcome");
    return remote;
  }

  connectFew(count, nsp) {
    return Promise.all(Array.from({ length: count }, () => this.connect(nsp)));
  }

  /** Nobody is left but the one who asks. */
  async empty() {
    const witness = await this.connect();
    await witness.sessions(1);
  }

  clear() {
    for (const remote of this.#opened.splice(0)) remote.command("disconnect");
  }
}
