import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { ServerProcess, freePort, root } from "../support/process.mjs";
import { TIMEOUT } from "../support/wait.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const CHROMIUM_ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

describe("the chat example in a browser", () => {
  let browser, server, url, pictures;
  const contexts = [];

  before(async () => {
    if (!process.env.CHAT_SERVER) {
      throw new Error("CHAT_SERVER is not set. Set it to the command line of the chat server under test; it is given PORT.");
    }
    if (!existsSync(CHROMIUM)) {
      throw new Error(`${CHROMIUM} does not exist: apt-get install chromium, or set CHROMIUM to the browser's path.`);
    }
    const port = await freePort();
    url = `http://127.0.0.1:${port}/`;
    server = new ServerProcess(process.env.CHAT_SERVER, {
      ready: /http:\/\//,
      env: { PORT: String(port), SOCKETIO_DIST: join(root, "node_modules/socket.io/client-dist") },
    });
    await server.start();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS });
    if (process.env.SCREENSHOTS) {
      pictures = await mkdtemp(join(tmpdir(), "chat-"));
      console.log(`screenshots are in ${pictures}`);
    }
  });

  // The chat forgets who has gone: no case finds the people of another one.
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
  });

  after(async () => {
    await browser?.close();
    await server?.kill();
  });

  /** A tab of its own, the page loaded and connected. `problems` collects what the page complains about. */
  async function open({ query = "", ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1000, height: 700 }, ...options });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT);
    page.problems = [];
    page.on("pageerror", (error) => page.problems.push(error.message));
    await page.goto(url + query);
    await page.locator("#status[data-state=connected]").waitFor();
    return page;
  }

  async function fillIn(page, nickname, room) {
    await page.getByLabel("Nickname").fill(nickname);
    if (room) await page.getByLabel("Room", { exact: true }).fill(room);
    await page.getByRole("button", { name: "Join the chat" }).click();
  }

  async function enter(nickname, { room, ...options } = {}) {
    const page = await open(options);
    await fillIn(page, nickname, room);
    await page.locator("#chat").waitFor();
    return page;
  }

  async function say(page, text) {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  }

  const message = (page, text) => page.locator(".message", { has: page.locator(".text").getByText(text, { exact: true }) });
  const notice = (page, text) => page.locator(".notice").filter({ hasText: text });
  const online = (page, ...nicknames) => becomes(page, "#online .name", nicknames);

  /** Waits until the texts of the elements are these. */
  async function becomes(page, selector, expected) {
    const found = () => page.locator(selector).allTextContents();
    const end = Date.now() + TIMEOUT;
    while (JSON.stringify(await found()) !== JSON.stringify(expected)) {
      if (Date.now() > end) assert.deepEqual(await found(), expected, `awaited ${selector} for ${TIMEOUT} ms`);
      await page.waitForTimeout(20);
    }
  }

  async function picture(page, name) {
    if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`) });
  }

  function noProblems(...pages) {
    for (const page of pages) assert.deepEqual(page.problems, []);
  }

  test("two people talk, see each other type, and one leaves", async () => {
    const ada = await enter("Ada");
    await online(ada, "Ada");
    const grace = await enter("Grace", { colorScheme: "dark", viewport: { width: 390, height: 780 } });
    await notice(ada, "Grace joined").waitFor();
    await online(ada, "Ada", "Grace");
    await online(grace, "Ada", "Grace");

    await say(ada, "Hello Grace, é€😀");
    await message(grace, "Hello Grace, é€😀").getByText("Ada", { exact: true }).waitFor();
    await say(grace, "Hello Ada");
    await message(ada, "Hello Ada").getByText("Grace", { exact: true }).waitFor();
    assert.match(await message(ada, "Hello Ada").locator("time").getAttribute("datetime"), /^20\d\d-/);
    assert.match(await message(grace, "Hello Ada").getAttribute("class"), /mine/);
    assert.equal(await message(ada, "Hello Ada").count(), 1);

    await grace.getByLabel("Message", { exact: true }).pressSequentially("hm");
    await ada.getByText("Grace is typing").waitFor();
    await picture(ada, "light");
    await picture(grace, "dark-phone");
    await grace.getByLabel("Message", { exact: true }).fill("");
    await ada.locator("#typing:not(.on)").waitFor({ state: "attached" });

    await grace.locator("#panel-toggle").click();
    await grace.getByRole("button", { name: "Leave the chat" }).click();
    await notice(ada, "Grace left").waitFor();
    await online(ada, "Ada");
    await grace.getByRole("button", { name: "Join the chat" }).waitFor();
    noProblems(ada, grace);
  });

  test("a closed tab has left", async () => {
    const [ada, grace] = [await enter("Ada"), await enter("Grace")];
    await online(ada, "Ada", "Grace");
    await grace.close();
    await notice(ada, "Grace left").waitFor();
    await online(ada, "Ada");
    noProblems(ada);
  });

  test("markup in names and messages is shown as it was written", async () => {
    const [ada, mallory] = [await enter("Ada"), await enter("<i>Mallory</i>")];
    const text = '<img src=x onerror="document.title=1"><b>bold</b>';
    await say(mallory, text);
    await message(ada, text).getByText("<i>Mallory</i>", { exact: true }).waitFor();
    assert.equal(await ada.locator("#chat :is(img, b, .name i, .author i)").count(), 0);
    noProblems(ada, mallory);
  });

  test("rooms are apart, and tell newcomers what was said", async () => {
    const ada = await enter("Ada", { room: "tea room" });
    await say(ada, "only here");
    await message(ada, "only here").waitFor();
    const grace = await enter("Grace");
    await online(grace, "Grace");
    await grace.getByLabel("Open another room").fill("tea room");
    await grace.getByLabel("Open another room").press("Enter");
    await message(grace, "only here").waitFor();
    await online(ada, "Ada", "Grace");
    await becomes(grace, "#rooms button", ["lobby", "tea room"]);
    await grace.getByRole("button", { name: "lobby" }).click();
    await notice(ada, "Grace left").waitFor();
    await online(grace, "Grace");
    assert.equal(await message(grace, "only here").count(), 0);
    noProblems(ada, grace);
  });

  test("a nickname which is taken is refused, with the reason", async () => {
    const ada = await enter("Ada");
    const other = await open();
    await fillIn(other, "Ada");
    await other.getByRole("alert").filter({ hasText: /./ }).waitFor();
    assert.equal(await other.locator("#chat").isVisible(), false);
    await fillIn(other, "Ada 2");
    await other.locator("#chat").waitFor();
    await online(ada, "Ada", "Ada 2");
    noProblems(ada, other);
  });

  test("the page tells the transport", async () => {
    const pages = [];
    for (const transport of ["polling", "websocket"]) {
      const page = await enter(transport, { query: `?transports=${transport}` });
      await page.getByText(`Connected over ${transport}`).waitFor();
      pages.push(page);
    }
    const upgraded = await open();
    await upgraded.getByText("Connected over websocket").waitFor();
    await say(pages[0], "by poll");
    await message(pages[1], "by poll").waitFor();
    noProblems(...pages, upgraded);
  });

  test("the page comes back by itself when the server does", async () => {
    const ada = await enter("Ada", { room: "harbour" });
    await say(ada, "before");
    await message(ada, "before").waitFor();
    await server.kill();
    await ada.getByText(/Reconnecting, attempt \d/).waitFor();
    await picture(ada, "reconnecting");
    assert.equal(await ada.getByRole("button", { name: "Send" }).isDisabled(), true);
    await server.start();
    await notice(ada, "You are back").waitFor({ timeout: 3 * TIMEOUT });
    await online(ada, "Ada");
    await say(ada, "after");
    await message(ada, "after").waitFor();
    await becomes(ada, ".message .text", ["before", "after"]);
    noProblems(ada);
  });
});
