import assert from "node:assert/strict";

/** The news of each, once everything the sender caused has arrived. */
async function received(sender, remotes) {
  await sender.settled();
  await Promise.all(remotes.map((remote) => remote.settled()));
  return remotes.map((remote) => remote.unread("news"));
}

/** Connects one for each of the lists, which are the rooms to be joined. */
async function connectTo(stage, ...lists) {
  const remotes = await stage.connectFew(lists.length);
  for (const [i, rooms] of lists.entries()) {
    for (const room of rooms) await remotes[i].ask("join", room);
  }
  return remotes;
}

export const rooms = [
  {
    title: "S-049 join and leave tell the rooms of the caller",
    async play(stage) {
      const remote = await stage.connect();
      assert.deepEqual(await remote.ask1("join", "b"), ["b"]);
      assert.deepEqual(await remote.ask1("join", "a é€😀"), ["a é€😀", "b"]);
      assert.deepEqual(await remote.ask1("leave", "b"), ["a é€😀"]);
      assert.deepEqual(await remote.ask1("leave", "a é€😀"), []);
    },
  },
  {
    title: "S-053 to-room reaches the members but not the sender",
    async play(stage) {
      const remotes = await connectTo(stage, ["hall"], ["hall"], []);
      const news = [1, { two: "é€😀" }, Buffer.from([3])];
      remotes[0].emit("to-room", "hall", "news", ...news);
      assert.deepEqual(await received(remotes[0], remotes), [[], [news], []]);
    },
  },
  {
    title: "S-052 in-room reaches the sender too",
    async play(stage) {
      const remotes = await connectTo(stage, ["hall"], ["hall"], []);
      remotes[0].emit("in-room", "hall", "news", "all");
      assert.deepEqual(await received(remotes[0], remotes), [[["all"]], [["all"]], []]);
    },
  },
  {
    title: "S-052 several rooms, one copy for who is in more than one",
    async play(stage) {
      const remotes = await connectTo(stage, [], ["a"], ["a", "b"], ["c"]);
      remotes[0].emit("to-room", ["a", "b"], "news", "once");
      assert.deepEqual(await received(remotes[0], remotes), [[], [["once"]], [["once"]], []]);
    },
  },
  {
    title: "S-052 except-room reaches all the others, the sender included",
    async play(stage) {
      const remotes = await connectTo(stage, [], ["a"], []);
      remotes[0].emit("except-room", "a", "news", 1);
      assert.deepEqual(await received(remotes[0], remotes), [[[1]], [], [[1]]]);
    },
  },
  {
    title: "S-053 broadcast reaches all but the sender, in one namespace",
    async play(stage) {
      const remotes = await stage.connectFew(2, "/dyn-1");
      const elsewhere = await stage.connect("/dyn-2");
      remotes[0].emit("broadcast", "news", { from: 0 });
      assert.deepEqual(await received(remotes[0], [...remotes, elsewhere]), [[], [[{ from: 0 }]], []]);
    },
  },
  {
    title: "S-068 sockets lists the members of a room; every socket is in the room of its id",
    async play(stage) {
      const [sender, member, other] = await connectTo(stage, [], ["hall"], ["hall"]);
      assert.deepEqual(await sender.ask1("sockets", "hall"), [member.id, other.id].sort());
      assert.deepEqual(await sender.ask1("sockets", member.id), [member.id]);
      sender.emit("to-room", member.id, "news", "for you");
      assert.deepEqual(await received(sender, [sender, member, other]), [[], [["for you"]], []]);
    },
  },
  {
    title: "S-050 who left, or has gone, hears no more",
    async play(stage) {
      const [sender, member, gone] = await connectTo(stage, [], ["hall"], ["hall"]);
      await member.ask("leave", "hall");
      const { id } = gone;
      gone.command("disconnect");
      await sender.lastReason(id);
      assert.deepEqual(await sender.ask1("sockets", "hall"), []);
      sender.emit("to-room", "hall", "news", "nobody hears it");
      assert.deepEqual(await received(sender, [sender, member]), [[], []]);
    },
  },
  {
    title: "events to a room keep their order",
    async play(stage) {
      const [sender, member] = await connectTo(stage, [], ["hall"]);
      for (let i = 0; i < 200; i++) sender.emit("to-room", "hall", "news", i);
      assert.deepEqual(await member.nextFew(200, "news"), Array.from({ length: 200 }, (_, i) => [i]));
    },
  },
];
