import assert from "node:assert/strict";

export const disconnecting = [
  {
    title: "S-030 the client disconnects",
    async play(stage) {
      const [remote, witness] = await stage.connectFew(2);
      const { id } = remote;
      assert.equal(await witness.ask1("last-reason", id), null);
      remote.command("disconnect");
      assert.equal(await remote.disconnected(), "io client disconnect");
      const { left = ["client namespace disconnect"] } = stage.client.reasons ?? {};
      assert.ok(left.includes(await witness.lastReason(id)));
      await witness.sessions(1);
    },
  },
  {
    title: "a client that disconnected connects again, with a new id",
    async play(stage) {
      const remote = await stage.connect("/dyn-7");
      const { id } = remote;
      remote.command("disconnect");
      await remote.disconnected();
      remote.command("connect");
      await remote.connected();
      const [welcome] = await remote.next("welcome");
      assert.equal(welcome.sid, remote.id);
      assert.notEqual(remote.id, id);
      assert.equal(await remote.ask1("echo-ack", "back"), "back");
    },
  },
  {
    title: "S-030 a client leaves one namespace and stays in the other",
    needs: ["leave", "several"],
    async play(stage) {
      const [stays, leaves] = stage.openSeveral(["/dyn-1", "/dyn-2"]);
      await Promise.all([stays.connected(), leaves.connected()]);
      leaves.command("disconnect");
      assert.equal(await leaves.disconnected(), "io client disconnect");
      assert.equal(await stays.ask1("echo-ack", "still here"), "still here");
      assert.ok(stays.stayed);
    },
  },
  {
    title: "S-031 the server disconnects from one namespace, the other stays",
    needs: ["several"],
    async play(stage) {
      const [stays, leaves] = stage.openSeveral(["/", "/dyn-2"]);
      await Promise.all([stays.connected(), leaves.connected()]);
      leaves.emit("disconnect-me", false);
      assert.equal(await leaves.disconnected(), "io server disconnect");
      assert.equal(await stays.lastReason(leaves.id), "server namespace disconnect");
      assert.ok(stays.stayed);
    },
  },
  {
    title: "S-031 the server disconnects and closes",
    async play(stage) {
      const [remote, witness] = await stage.connectFew(2);
      remote.emit("disconnect-me", true);
      assert.equal(await remote.disconnected(), "io server disconnect");
      assert.equal(await witness.lastReason(remote.id), "server namespace disconnect");
      await witness.sessions(1);
    },
  },
  {
    title: "S-073 the server drops the connection",
    async play(stage) {
      const [remote, witness] = await stage.connectFew(2);
      remote.emit("drop-me");
      const { dropped = ["transport close"] } = stage.client.reasons ?? {};
      assert.ok(dropped.includes(await remote.disconnected()));
      assert.equal(await witness.lastReason(remote.id), "forced close");
      await witness.sessions(1);
    },
  },
  {
    title: "a dropped connection comes back by itself, with a new id and no rooms",
    needs: ["reconnect-{transport}"],
    async play(stage) {
      const remote = await stage.connect("/auth", { reconnection: true, reconnectionDelay: 10, auth: { token: "secret" } });
      const { id } = remote;
      await remote.ask("join", "old room");
      remote.emit("drop-me");
      await remote.disconnected();
      await remote.connected();
      const [welcome] = await remote.next("welcome");
      assert.deepEqual(welcome, { sid: remote.id, nsp: "/auth", auth: { token: "secret" }, recovered: false });
      assert.notEqual(remote.id, id);
      assert.deepEqual(await remote.ask1("join", "new room"), ["new room"]);
      remote.emit("echo", Buffer.from([1, 2]));
      assert.deepEqual(await remote.next("echo"), [Buffer.from([1, 2])]);
    },
  },
];
