import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { contractServer } from "../support/suite.mjs";

describe("HTTP of the Engine.IO layer", () => {
  const server = contractServer();
  const request = (query, init = {}) =>
    fetch(`${server.url}/socket.io/?${query}`, { signal: AbortSignal.timeout(5000), ...init });

  const refusals = [
    ["no transport", "EIO=4", {}, 0, "Transport unknown"],
    ["an unknown transport", "EIO=4&transport=pigeon", {}, 0, "Transport unknown"],
    ["an unknown session", "EIO=4&transport=polling&sid=nobody", {}, 1, "Session ID unknown"],
    ["a POST for a handshake", "EIO=4&transport=polling", { method: "POST", body: "4" }, 2, "Bad handshake method"],
    ["websocket without an upgrade", "EIO=4&transport=websocket", {}, 3, "Bad request"],
    ["protocol revision 3", "EIO=3&transport=polling", {}, 5, "Unsupported protocol version"],
    ["no protocol revision", "transport=polling", {}, 5, "Unsupported protocol version"],
  ];
  for (const [what, query, init, code, message] of refusals) {
    test(`E-033 ${what} is refused with code ${code}`, async () => {
      const response = await request(query, init);
      assert.equal(response.status, 400);
      assert.match(response.headers.get("content-type"), /^application\/json/);
      assert.deepEqual(await response.json(), { code, message });
    });
  }

  test("E-036 another transport than that of the session is refused with code 3", async () => {
    const opened = await (await request("EIO=4&transport=polling")).text();
    const { sid } = JSON.parse(opened.slice(1));
    const response = await request(`EIO=4&transport=websocket&sid=${sid}`);
    assert.equal(response.status, 400);
    assert.deepEqual(await response.json(), { code: 3, message: "Bad request" });
  });

  test("E-048 a page of any origin may connect", async () => {
    const response = await request("EIO=4&transport=polling", { headers: { origin: "http://elsewhere.example" } });
    assert.equal(response.status, 200);
    const allowed = response.headers.get("access-control-allow-origin");
    assert.ok(["*", "http://elsewhere.example"].includes(allowed), `access-control-allow-origin: ${allowed}`);
  });

  test("E-048 the preflight of a page of any origin is answered", async () => {
    const response = await request("EIO=4&transport=polling", {
      method: "OPTIONS",
      headers: { origin: "http://elsewhere.example", "access-control-request-method": "POST" },
    });
    assert.equal(response.status, 204);
    assert.match(response.headers.get("access-control-allow-methods") ?? "", /POST|\*/);
  });

  test("both loopback addresses are served", async () => {
    for (const host of ["127.0.0.1", "[::1]"]) {
      const response = await fetch(`http://${host}:${server.port}/socket.io/?EIO=4&transport=polling`);
      assert.equal(response.status, 200, host);
      await response.text();
    }
  });
});
