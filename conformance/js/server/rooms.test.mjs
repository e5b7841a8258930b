import assert from "node:assert/strict";
import { test } from "node:test";
import { overEachWay } from "../support/suite.mjs";

overEachWay("rooms", ({ clients, way }) => {
  // Rooms outlive no member, but names of their own keep the cases apart anyway.
  let count = 0;
  const fresh = (name) => `${way.name} ${name} ${++count}`;

  async function connectAll(n, namespace) {
    return Promise.all(Array.from({ length: n }, () => clients.connect(namespace)));
  }

  /** The news of each peer, once everything the sender caused has arrived. */
  async function received(sender, peers, event) {
    await sender.settled();
    await Promise.all(peers.map((peer) => peer.settled()));
    return peers.map((peer) => peer.unread(event));
  }

  test("S-049 join and leave tell the rooms of the caller", async () => {
    const [peer] = await connectAll(1);
    assert.deepEqual(await peer.ask1("join", "b"), ["b"]);
    assert.deepEqual(await peer.ask1("join", "a"), ["a", "b"]);
    assert.deepEqual(await peer.ask1("join", "a"), ["a", "b"]);
    assert.deepEqual(await peer.ask1("leave", "b"), ["a"]);
    assert.deepEqual(await peer.ask1("leave", "never joined"), ["a"]);
    assert.deepEqual(await peer.ask1("leave", "a"), []);
  });

  test("S-068 sockets lists the members of a room and of the namespace", async () => {
    const room = fresh("members");
    const peers = await connectAll(3, "/dyn-55");
    const ids = peers.map(({ id }) => id).sort();
    assert.deepEqual(await peers[0].ask1("sockets", null), ids);
    assert.deepEqual(await peers[0].ask1("sockets", room), []);
    await peers[1].ask("join", room);
    await peers[2].ask("join", room);
    assert.deepEqual(await peers[0].ask1("sockets", room), [peers[1].id, peers[2].id].sort());
    assert.deepEqual(await peers[0].ask1("sockets", peers[1].id), [peers[1].id]);
  });

  test("S-050 a disconnected socket is in no room", async () => {
    const room = fresh("left");
    const [stays, goes] = await connectAll(2);
    const { id } = goes;
    await goes.ask("join", room);
    goes.socket.disconnect();
    await stays.lastReason(id);
    assert.deepEqual(await stays.ask1("sockets", room), []);
  });

  test("S-053 to-room reaches the members but not the sender", async () => {
    const room = fresh("to");
    const [sender, member, outsider] = await connectAll(3);
    await sender.ask("join", room);
    await member.ask("join", room);
    sender.emit("to-room", room, "news", 1, { two: "é€😀" });
    const news = await received(sender, [sender, member, outsider], "news");
    assert.deepEqual(news, [[], [[1, { two: "é€😀" }]], []]);
  });

  test("S-053 a sender need not be a member", async () => {
    const room = fresh("outside");
    const [sender, member] = await connectAll(2);
    await member.ask("join", room);
    sender.emit("to-room", room, "news");
    assert.deepEqual(await received(sender, [sender, member], "news"), [[], [[]]]);
  });

  test("S-052 in-room reaches the sender too", async () => {
    const room = fresh("in");
    const [sender, member, outsider] = await connectAll(3);
    await sender.ask("join", room);
    await member.ask("join", room);
    sender.emit("in-room", room, "news", "all");
    assert.deepEqual(await received(sender, [sender, member, outsider], "news"), [[["all"]], [["all"]], []]);
  });

  test("S-052 several rooms, one copy for who is in more than one", async () => {
    const [a, b, c] = [fresh("a"), fresh("b"), fresh("c")];
    const [sender, inA, inB, inBoth, inC] = await connectAll(5);
    await inA.ask("join", a);
    await inB.ask("join", b);
    await inBoth.ask("join", a);
    await inBoth.ask("join", b);
    await inC.ask("join", c);
    sender.emit("to-room", [a, b], "news", "once");
    const once = [["once"]];
    assert.deepEqual(await received(sender, [sender, inA, inB, inBoth, inC], "news"), [[], once, once, once, []]);
    sender.emit("in-room", [b, c], "news", "again");
    const again = [["again"]];
    assert.deepEqual(await received(sender, [sender, inA, inB, inBoth, inC], "news"), [[], [], again, again, again]);
  });

  test("S-052 except-room reaches all the others, the sender included", async () => {
    const [a, b] = [fresh("a"), fresh("b")];
    const [sender, inA, inB, outsider] = await connectAll(4);
    await inA.ask("join", a);
    await inB.ask("join", b);
    sender.emit("except-room", a, "news", 1);
    assert.deepEqual(await received(sender, [sender, inA, inB, outsider], "news"), [[[1]], [], [[1]], [[1]]]);
    sender.emit("except-room", [a, b], "news", 2);
    assert.deepEqual(await received(sender, [sender, inA, inB, outsider], "news"), [[[2]], [], [], [[2]]]);
  });

  test("S-053 broadcast reaches all but the sender", async () => {
    const peers = await connectAll(4);
    peers[0].emit("broadcast", "news", { from: 0 });
    const one = [[{ from: 0 }]];
    assert.deepEqual(await received(peers[0], peers, "news"), [[], one, one, one]);
  });

  test("S-049 every socket is in the room of its id", async () => {
    const [sender, target, other] = await connectAll(3);
    sender.emit("to-room", target.id, "private", "for you");
    assert.deepEqual(await received(sender, [sender, target, other], "private"), [[], [["for you"]], []]);
  });

  test("who left hears no more", async () => {
    const room = fresh("gone");
    const [sender, member] = await connectAll(2);
    await member.ask("join", room);
    sender.emit("to-room", room, "news", 1);
    assert.deepEqual(await received(sender, [member], "news"), [[[1]]]);
    await member.ask("leave", room);
    sender.emit("to-room", room, "news", 2);
    assert.deepEqual(await received(sender, [member], "news"), [[]]);
  });

  test("an event to an empty room harms nobody", async () => {
    const [sender] = await connectAll(1);
    sender.emit("to-room", fresh("empty"), "news");
    sender.emit("in-room", [fresh("empty"), fresh("empty")], "news");
    assert.equal(await sender.ask1("echo-ack", "alive"), "alive");
  });

  test("events to a room keep their order", async () => {
    const room = fresh("order");
    const [sender, member] = await connectAll(2);
    await member.ask("join", room);
    for (let i = 0; i < 200; i++) sender.emit("to-room", room, "news", i);
    for (let i = 0; i < 200; i++) assert.deepEqual(await member.next("news"), [i]);
  });
});
