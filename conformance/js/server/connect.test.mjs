import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeWebSocket, NodeXHR } from "socket.io-client";
import { overEachWay } from "../support/suite.mjs";
import { within } from "../support/wait.mjs";

overEachWay("connecting", ({ clients, way }) => {
  test("S-023 the main namespace opens, with an id of its own", async () => {
    const peer = await clients.open().connected();
    const [welcome] = await peer.next("welcome");
    assert.deepEqual(welcome, { sid: peer.id, nsp: "/", auth: {}, recovered: false });
    assert.match(peer.id, /^[\w-]{20}$/);
    assert.notEqual(peer.id, peer.engine.id);
    assert.ok(!peer.socket.recovered);
  });

  test("E-002 the open packet carries the settings", async () => {
    const peer = clients.open();
    const handshake = within(5000, "the handshake", new Promise((resolve) => peer.engine.once("handshake", resolve)));
    const { sid, ...settings } = await handshake;
    assert.equal(typeof sid, "string");
    assert.deepEqual(settings, {
      upgrades: way.name === "websocket" ? [] : ["websocket"],
      pingInterval: 1000,
      pingTimeout: 1000,
      maxPayload: 1_000_000,
    });
    await peer.connected();
  });

  test("S-024 a middleware refuses with message and data", async () => {
    const peer = clients.open("/auth");
    const error = await peer.refused();
    assert.equal(error.message, "unauthorized");
    assert.deepEqual(error.data, { code: 401 });
    assert.equal(peer.socket.active, false);
  });

  test("S-024 a wrong token is refused, the right one is let in on the same socket", async () => {
    const peer = clients.open("/auth", { auth: { token: "guess" } });
    await peer.refused();
    peer.socket.auth = { token: "secret" };
    peer.socket.connect();
    await peer.connected();
    const [welcome] = await peer.next("welcome");
    assert.deepEqual(welcome.auth, { token: "secret" });
    assert.equal(welcome.nsp, "/auth");
  });

  test("S-024 an unknown namespace is refused", async () => {
    for (const namespace of ["/unknown", "/dyn-", "/dyn-1x", "/dyn-101/more", "/Auth"]) {
      const error = await clients.open(namespace).refused();
      assert.equal(error.message, "Invalid namespace", namespace);
      assert.equal(error.data, undefined);
    }
  });

  test("S-024 a refusal leaves the connection to the others", async () => {
    const main = await clients.connect();
    const error = await clients.join(main, "/auth").refused();
    assert.equal(error.message, "unauthorized");
    assert.equal((await clients.join(main, "/nowhere").refused()).message, "Invalid namespace");
    assert.equal(await main.ask1("echo-ack", "still here"), "still here");
  });

  test("S-034 a dynamic namespace opens by its pattern", async () => {
    const peer = await clients.open("/dyn-101").connected();
    const [welcome] = await peer.next("welcome");
    assert.equal(welcome.nsp, "/dyn-101");
    assert.equal(welcome.sid, peer.id);
  });

  test("S-046 the auth payload reaches the server, nested and in unicode", async () => {
    const auth = { token: "secret", nested: { list: [1, null, true, "é€😀"], empty: {} } };
    const peer = await clients.open("/auth", { auth }).connected();
    const [welcome] = await peer.next("welcome");
    assert.deepEqual(welcome.auth, auth);
    assert.deepEqual((await peer.ask1("handshake")).auth, auth);
  });

  test("C-040 an auth function is asked at every connection", async () => {
    let count = 0;
    const peer = await clients.connect("/", { auth: (use) => use({ count: ++count }) });
    assert.deepEqual((await peer.ask1("handshake")).auth, { count: 1 });
    peer.socket.disconnect().connect();
    await peer.next("disconnect");
    await peer.connected();
    assert.deepEqual((await peer.ask1("handshake")).auth, { count: 2 });
  });

  test("S-045 the handshake shows query, headers and transport", async () => {
    const peer = await clients.connect("/", {
      query: { color: "blue & green", word: "é€😀" },
      extraHeaders: { "X-Custom-Header": "Some Value" },
    });
    const handshake = await peer.ask1("handshake");
    const { color, word, EIO, transport } = handshake.query;
    assert.deepEqual({ color, word, EIO, transport }, {
      color: "blue & green",
      word: "é€😀",
      EIO: "4",
      transport: way.transports[0],
    });
    assert.equal("sid" in handshake.query, false, "the query is that of the first request");
    assert.equal(handshake.headers["x-custom-header"], "Some Value");
    assert.ok(handshake.headers.host.startsWith("127.0.0.1:"));
    assert.deepEqual(handshake.auth, {});
    assert.equal(handshake.transport, way.transport);
  });

  test("S-045 the query of the address belongs to the handshake, not to the namespace", async () => {
    const peer = await clients.open("/dyn-7?room=blue").connected();
    const [welcome] = await peer.next("welcome");
    assert.equal(welcome.nsp, "/dyn-7");
    assert.equal((await peer.ask1("handshake")).query.room, "blue");
  });

  test("C-043 what is emitted before the connection is up arrives in order", async () => {
    const peer = clients.open();
    for (let i = 0; i < 20; i++) peer.emit("echo", i);
    for (let i = 0; i < 20; i++) assert.deepEqual(await peer.next("echo"), [i]);
  });

  test("E-008 an unsupported protocol revision is an error for the client", async () => {
    const Transport = way.transports[0] === "polling" ? NodeXHR : NodeWebSocket;
    class OldTransport extends Transport {
      constructor(options) {
        super(options);
        this.query.EIO = "3";
      }
    }
    const error = await clients.open("/", { transports: [OldTransport] }).refused();
    assert.equal(error.type, "TransportError");
    assert.equal(error.message, Transport === NodeXHR ? "xhr poll error" : "websocket error");
  });
});
