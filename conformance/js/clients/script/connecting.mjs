import assert from "node:assert/strict";

export const connecting = [
  {
    title: "S-023 the main namespace opens, with an id of its own",
    async play(stage) {
      const [one, other] = await Promise.all([stage.open().connected(), stage.open().connected()]);
      assert.deepEqual(await one.next("welcome"), [{ sid: one.id, nsp: "/", auth: {}, recovered: false }]);
      assert.notEqual(one.id, other.id);
    },
  },
  {
    title: "S-034 a dynamic namespace opens by its pattern",
    async play(stage) {
      const remote = await stage.open("/dyn-7").connected();
      assert.deepEqual(await remote.next("welcome"), [{ sid: remote.id, nsp: "/dyn-7", auth: {}, recovered: false }]);
      assert.equal(await remote.ask1("echo-ack", "é€😀"), "é€😀");
    },
  },
  {
    title: "S-024 a middleware lets in who knows the token",
    async play(stage) {
      const auth = { token: "secret" };
      const remote = await stage.open("/auth", { auth }).connected();
      assert.deepEqual(await remote.next("welcome"), [{ sid: remote.id, nsp: "/auth", auth, recovered: false }]);
    },
  },
  {
    title: "S-024 S-101 a middleware refuses the others, with message and data",
    async play(stage) {
      // Revision 2 of the client is sent the data alone.
      const message = stage.has("refusal") ? "unauthorized" : null;
      for (const options of [{}, { auth: { token: "guess" } }]) {
        assert.deepEqual(await stage.open("/auth", options).refused(), { message, data: { code: 401 } });
      }
    },
  },
  {
    title: "S-024 an unknown namespace is refused",
    async play(stage) {
      for (const nsp of ["/unknown", "/dyn-", "/dyn-1x", "/dyn-1/more", "/Auth"]) {
        assert.deepEqual(await stage.open(nsp).refused(), { message: "Invalid namespace", data: null }, nsp);
      }
    },
  },
  {
    title: "S-024 a refusal leaves the connection to the others",
    needs: ["share"],
    async play(stage) {
      const main = await stage.connect();
      assert.deepEqual((await stage.join(main, "/auth").refused()).data, { code: 401 });
      assert.equal((await stage.join(main, "/nowhere").refused()).message, "Invalid namespace");
      assert.equal(await main.ask1("echo-ack", "still here"), "still here");
    },
  },
  {
    title: "S-023 several namespaces share one connection and do not mix",
    needs: ["several"],
    async play(stage) {
      const remotes = stage.openSeveral(["/", "/dyn-1", "/dyn-22"]);
      for (const remote of remotes) {
        await remote.connected();
        const [welcome] = await remote.next("welcome");
        assert.deepEqual(welcome, { sid: remote.id, nsp: remote.nsp, auth: {}, recovered: false });
      }
      await remotes[0].sessions(1);
      for (const remote of remotes) remote.emit("echo", remote.nsp, Buffer.from(remote.nsp));
      await Promise.all(remotes.map((remote) => remote.settled()));
      for (const remote of remotes) {
        assert.deepEqual(remote.unread("echo"), [[remote.nsp, Buffer.from(remote.nsp)]]);
      }
    },
  },
  {
    title: "S-046 the payload of the connection reaches the server, nested and in unicode",
    needs: ["auth"],
    async play(stage) {
      const auth = { token: "secret", nested: { list: [1, null, true, "é€😀"], empty: {} } };
      const remote = await stage.open("/auth", { auth }).connected();
      assert.deepEqual((await remote.next("welcome"))[0].auth, auth);
      assert.deepEqual((await remote.ask1("handshake")).auth, auth);
    },
  },
  {
    title: "S-045 the handshake shows query, headers and transport",
    async play(stage) {
      const remote = await stage.connect("/", {
        query: { color: "blue & green", word: "é€😀" },
        headers: { "X-Custom-Header": "Some Value" },
      });
      const { query, headers, transport } = await remote.ask1("handshake");
      assert.equal(query.color, "blue & green");
      assert.equal(query.word, "é€😀");
      assert.equal(query.EIO, String(stage.client.revision));
      assert.equal(query.transport, stage.way.transports[0]);
      assert.equal(headers["x-custom-header"], "Some Value");
      assert.ok(headers.host.startsWith("127.0.0.1:"));
      assert.equal(transport, stage.way.transport);
    },
  },
  {
    title: "C-043 what is emitted before the connection is up arrives in order",
    needs: ["buffer"],
    async play(stage) {
      const remote = stage.open();
      for (let i = 0; i < 20; i++) remote.emit("echo", i);
      assert.deepEqual(await remote.nextFew(20, "echo"), Array.from({ length: 20 }, (_, i) => [i]));
    },
  },
];
