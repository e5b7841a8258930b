/*
 * The page of the chat example. No framework, no build step; needs `io` of socket.io-client 4.
 *
 * The wire protocol (namespace "/")
 *
 * Page to server, each of the first two with an acknowledgement:
 *
 *   join     {nickname, room, key}  ack {ok: true, room, online, history}
 *                                   or  {ok: false, error}
 *   message  text                   ack {ok: true} or {ok: false, error}
 *   typing   boolean                no ack, sent as volatile
 *
 * Server to the members of a room:
 *
 *   message  {room, nickname, text, at}   to all of them, the author included
 *   online   {room, nicknames}            to all when somebody came or went (the joiner has the ack)
 *   notice   {room, text, at}             to the others: "Ada joined", "Ada left"
 *   typing   {room, nickname, typing}     to the others
 *
 * - A socket is in one room at a time: a join leaves the room it was in before. A refused join changes
 *   nothing.
 * - `online` and `nicknames` are sorted lists of strings; `history` holds the last 50 messages of the
 *   room, oldest first, each as in `message`; `at` is in milliseconds since 1970; `error` is a
 *   sentence for the reader.
 * - The server trims nickname, room and text and refuses what is empty or longer than 24, 32 and
 *   2000 characters. It adds the socket to the room before it takes the history for the ack.
 * - `key` is a random string, the same for as long as the page is open. A nickname which is in use
 *   in the room is refused, unless the key is the same: then the page has come back before the
 *   server noticed that its old connection was lost, and the new socket silently takes the old
 *   one's place (no notice; the old socket's end is no longer news).
 * - A room, its history included, is forgotten when the last member has left.
 */
"use strict";

const LOBBY = "lobby";
const ACK_TIMEOUT = 5000;
const TYPING_REPEAT = 2000;
const TYPING_EXPIRES = 5000;
const SAME_RUN = 5 * 60 * 1000;

const $ = (id) => document.getElementById(id);

// `?transports=polling` or `?transports=websocket` restricts the page to one transport.
const transports = new URLSearchParams(location.search).get("transports");
const socket = io(transports ? { transports: transports.split(",") } : {});

const key = Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");

/** Who we are and where, kept while the connection is away; null until the server let us in. */
let seat = null;
/** Whether the server has us in that room now. */
let seated = false;
/** The room of a join in flight, and the events that came for it before its ack. */
let entering = null;

// Connection state

function showStatus(state, text) {
  $("status").dataset.state = state;
  $("status-text").textContent = text;
  $("status").title = text;
  $("reconnect").hidden = state !== "disconnected";
  enableComposer();
}

function showConnected() {
  showStatus("connected", `Connected over ${socket.io.engine.transport.name}`);
}

socket.on("connect", () => {
  showConnected();
  const engine = socket.io.engine;
  engine.on("upgrade", () => socket.io.engine === engine && socket.connected && showConnected());
  if (seat) enter(seat.nickname, seat.room);
});

socket.on("disconnect", (reason) => {
  seated = false;
  entering = null;
  typists.clear();
  showTypists();
  if (socket.active) {
    showStatus("reconnecting", `Connection lost (${reason})`);
  } else {
    showStatus("disconnected", `Disconnected: ${reason}`);
    if (seat) addNotice({ text: `Disconnected: ${reason}`, at: Date.now(), failed: true });
  }
});

socket.on("connect_error", (error) => {
  if (!socket.active) showStatus("disconnected", `Refused: ${error.message}`);
});

socket.io.on("reconnect_attempt", (attempt) => showStatus("reconnecting", `Reconnecting, attempt ${attempt}`));
socket.io.on("reconnect_failed", () => showStatus("disconnected", "Disconnected: server not reachable"));

$("reconnect").addEventListener("click", () => {
  showStatus("connecting", "Connecting…");
  socket.connect();
});

// Joining a room

async function enter(nickname, room) {
  const waiting = { room, early: [] };
  entering = waiting;
  enableComposer();
  let reply;
  try {
    reply = await socket.timeout(ACK_TIMEOUT).emitWithAck("join", { nickname, room, key });
  } catch {
    reply = { ok: false, error: "The server did not answer. Try again." };
  }
  if (entering !== waiting) return false;
  entering = null;
  if (reply.ok) {
    show(nickname, reply);
    for (const replay of waiting.early) replay();
  } else {
    refuse(reply.error);
  }
  enableComposer();
  return reply.ok;
}

/** Shows a room we are in. After a reconnection the messages stay, those that we missed are added. */
function show(nickname, { room, online, history }) {
  const back = seat !== null && seat.room === room;
  if (!back) clearLog();
  seat = { nickname, room };
  seated = true;
  remember(nickname, room);
  $("join-error").textContent = "";
  showPage("chat");
  $("room-title").textContent = room;
  showRooms();
  showOnline(online);
  history.forEach(addMessage);
  addNotice({ text: back ? "You are back" : `You joined ${room}`, at: Date.now() });
  scrollDown();
  openPanel(false);
}

function refuse(error) {
  if (seated) {
    addNotice({ text: error, at: Date.now(), failed: true });
    scrollDown();
  } else {
    backToForm();
    $("join-error").textContent = error;
  }
}

function backToForm() {
  seat = null;
  seated = false;
  entering = null;
  clearLog();
  showPage("welcome");
  $("nickname").focus();
}

function showPage(page) {
  $("welcome").hidden = page !== "welcome";
  $("chat").hidden = $("panel-toggle").hidden = page !== "chat";
}

$("join-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const nickname = $("nickname").value.trim();
  const room = $("room").value.trim() || LOBBY;
  $("join-error").textContent = "";
  $("join-button").disabled = true;
  if (await enter(nickname, room)) $("text").focus();
  $("join-button").disabled = false;
});

$("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const room = $("new-room").value.trim();
  $("new-room").value = "";
  if (room) goTo(room);
});

function goTo(room) {
  if (!seated) return;
  if (room === seat.room) openPanel(false);
  else enter(seat.nickname, room);
}

// Leaving is a disconnection: the server tells the room. A fresh connection waits behind the form.
$("leave").addEventListener("click", () => {
  socket.disconnect();
  backToForm();
  showStatus("connecting", "Connecting…");
  socket.connect();
});

// Rooms and people

const visited = new Set([LOBBY]);

function showRooms() {
  visited.add(seat.room);
  $("rooms").replaceChildren(
    ...Array.from(visited, (room) => {
      const button = element("button", "", room);
      button.type = "button";
      if (room === seat.room) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => goTo(room));
      const item = element("li");
      item.append(button);
      return item;
    }),
  );
}

function showOnline(nicknames) {
  $("online-count").textContent = $("people-count").textContent = nicknames.length;
  $("online").replaceChildren(
    ...nicknames.map((nickname) => {
      const item = element("li");
      item.append(avatar(nickname), element("span", "name", nickname));
      if (nickname === seat.nickname) item.append(element("span", "you", "you"));
      return item;
    }),
  );
  for (const nickname of typists.keys()) if (!nicknames.includes(nickname)) setTypist(nickname, false);
}

function openPanel(open) {
  $("panel").classList.toggle("open", open);
  $("panel-toggle").setAttribute("aria-expanded", String(open));
}

$("panel-toggle").addEventListener("click", () => openPanel(!$("panel").classList.contains("open")));
document.addEventListener("keydown", (event) => event.key === "Escape" && openPanel(false));
document.querySelector(".talk").addEventListener("pointerdown", () => openPanel(false));

// What the server says of a room

/** Calls `handler` with events of the room we are in; those of the room we are entering wait for the ack. */
function onRoomEvent(name, handler) {
  socket.on(name, (event) => {
    if (entering && event.room === entering.room) entering.early.push(() => handler(event));
    else if (seat && event.room === seat.room) handler(event);
  });
}

onRoomEvent("message", (message) => {
  setTypist(message.nickname, false);
  const follow = atBottom() || message.nickname === seat.nickname;
  if (!addMessage(message)) return;
  if (follow) scrollDown();
  else $("newest").hidden = false;
  if (document.hidden) showUnread(unread + 1);
});
onRoomEvent("online", ({ nicknames }) => showOnline(nicknames));
onRoomEvent("notice", (notice) => {
  const follow = atBottom();
  addNotice(notice);
  if (follow) scrollDown();
});
onRoomEvent("typing", ({ nickname, typing }) => setTypist(nickname, typing));

// The log

/** Fingerprints of the messages shown, because history and events may overlap. */
const shown = new Set();
let last = null;

function clearLog() {
  shown.clear();
  last = null;
  $("log").replaceChildren();
  $("empty").hidden = false;
  $("newest").hidden = true;
  typists.clear();
  showTypists();
}

function addMessage({ nickname, text, at }) {
  const fingerprint = JSON.stringify([at, nickname, text]);
  if (shown.has(fingerprint)) return false;
  shown.add(fingerprint);
  const item = element("li", "message");
  const first = !last || last.nickname !== nickname || at - last.at > SAME_RUN;
  item.classList.toggle("first", first);
  item.classList.toggle("mine", nickname === seat.nickname);
  item.style.setProperty("--hue", hue(nickname));
  const head = element("div", "head");
  head.append(element("span", "author", nickname), " ", time(at));
  const body = element("div", "text", text);
  body.title = new Date(at).toLocaleString();
  item.append(head, avatar(nickname), body);
  $("log").append(item);
  $("empty").hidden = true;
  last = { nickname, at };
  return true;
}

function addNotice({ text, at, failed = false }) {
  const item = element("li", failed ? "notice failed" : "notice", `${text} `);
  item.append(time(at));
  $("log").append(item);
  last = null;
}

function atBottom() {
  const { scrollTop, scrollHeight, clientHeight } = $("scroller");
  return scrollHeight - scrollTop - clientHeight < 60;
}

/** Whether the reader is at the end of the log, and wants to stay there when the page is resized. */
let following = true;

function scrollDown() {
  following = true;
  $("scroller").scrollTop = $("scroller").scrollHeight;
  $("newest").hidden = true;
}

$("newest").addEventListener("click", scrollDown);
$("scroller").addEventListener("scroll", () => {
  following = atBottom();
  if (following) $("newest").hidden = true;
});
window.addEventListener("resize", () => following && scrollDown());

let unread = 0;
function showUnread(count) {
  unread = count;
  document.title = count ? `(${count}) sockeye chat` : "sockeye chat";
}
document.addEventListener("visibilitychange", () => document.hidden || showUnread(0));

// Who is typing

/** Nickname to the timer that forgets it, should the end of the typing get lost. */
const typists = new Map();

function setTypist(nickname, typing) {
  clearTimeout(typists.get(nickname));
  typists.delete(nickname);
  if (typing) typists.set(nickname, setTimeout(() => setTypist(nickname, false), TYPING_EXPIRES));
  showTypists();
}

function showTypists() {
  const names = [...typists.keys()];
  $("typing").classList.toggle("on", names.length > 0);
  if (names.length === 1) $("typing-text").textContent = `${names[0]} is typing`;
  else if (names.length === 2) $("typing-text").textContent = `${names[0]} and ${names[1]} are typing`;
  else $("typing-text").textContent = names.length ? `${names.length} people are typing` : "";
}

let saidTyping = 0;
function sayTyping(typing) {
  if (!typing && !saidTyping) return;
  if (typing && Date.now() - saidTyping < TYPING_REPEAT) return;
  saidTyping = typing ? Date.now() : 0;
  socket.volatile.emit("typing", typing);
}

// Writing

function enableComposer() {
  const able = seated && !entering;
  $("composer").querySelector("button").disabled = !able;
  $("text").placeholder = able || !seat ? "Write a message" : "Waiting for the connection…";
}

async function send() {
  const text = $("text").value.trim();
  if (!text || $("composer").querySelector("button").disabled) return;
  $("text").value = "";
  grow();
  sayTyping(false);
  let error;
  try {
    const reply = await socket.timeout(ACK_TIMEOUT).emitWithAck("message", text);
    error = reply.ok ? null : reply.error;
  } catch {
    error = "Not delivered: the server did not answer.";
  }
  if (!error) return;
  addNotice({ text: error, at: Date.now(), failed: true });
  if (!$("text").value) $("text").value = text;
  grow();
  scrollDown();
}

function grow() {
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight + 2}px`;
}

$("text").addEventListener("input", () => {
  grow();
  if (seated) sayTyping($("text").value.trim() !== "");
});
$("text").addEventListener("blur", () => seated && sayTyping(false));
$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
  $("text").focus();
});

// Small things. Text of others becomes text nodes only, never markup.

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function avatar(nickname) {
  const made = element("span", "avatar", Array.from(nickname)[0].toUpperCase());
  made.setAttribute("aria-hidden", "true");
  made.style.setProperty("--hue", hue(nickname));
  return made;
}

function hue(nickname) {
  let sum = 0;
  for (const character of nickname) sum = (sum * 31 + character.codePointAt(0)) % 360;
  return String((sum * 47) % 360);
}

function time(at) {
  const date = new Date(at);
  const made = element("time", "", date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  made.dateTime = date.toISOString();
  return made;
}

// The last nickname and room are offered again; a room in the address (`#tea`) wins.

function remember(nickname, room) {
  history.replaceState(null, "", room === LOBBY ? location.pathname + location.search : `#${encodeURIComponent(room)}`);
  try {
    localStorage.setItem("nickname", nickname);
  } catch {
    // Storage is switched off: nothing is remembered.
  }
}

function recall() {
  try {
    $("nickname").value = localStorage.getItem("nickname") ?? "";
  } catch {
    // As above.
  }
  try {
    $("room").value = decodeURIComponent(location.hash.slice(1)) || LOBBY;
  } catch {
    $("room").value = LOBBY;
  }
  $("nickname").focus();
}

recall();
