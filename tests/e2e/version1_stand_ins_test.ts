import assert from "node:assert/strict";
import {
  namespaceProblem,
  namespaceTest,
  oneHost,
  oneLan,
  twoLans,
} from "../support/namespaces.ts";
import { startSupport } from "../support/program.ts";
import { numberField, readObject, textField } from "../support/v1_json.ts";

Deno.test("network namespaces can be made wherever CI runs", async () => {
  if (Deno.env.get("CI") !== "true") return;
  assert.equal(await namespaceProblem(), undefined, "tests were skipped: no network namespaces");
});

Deno.test("version 1 JSON is read as strictly as the original reads it", () => {
  assert.equal(textField(readObject('{"a":"\\ud83d\\ude00","b":{}}'), "a"), "😀");
  assert.equal(numberField(readObject('{"a":65535}'), "a", 65_535), 65_535);
  assert.throws(() => textField(readObject('{"a":"\\ud83d"}'), "a"));
  assert.throws(() => textField(readObject('{"a":1}'), "a"));
  assert.throws(() => textField(readObject("{}"), "a"));
  for (const wrong of ["65536", "-1", "1.0", "1e3", '"1"', "null"]) {
    assert.throws(() => numberField(readObject(`{"a":${wrong}}`), "a", 65_535), wrong);
  }
  for (const wrong of ["", "[]", "1", "null", "{", '{"a":1}x']) {
    assert.throws(() => readObject(wrong), wrong);
  }
});

namespaceTest("two version 1 peers on one host find each other and talk", async () => {
  await using network = await oneHost();
  await using alice = startSupport("v1_peer_main.ts", { nickname: "alice" }, network.host0);
  await alice.waitFor({ event: "ready" });
  const fast = { nickname: "bob", announceIntervalMs: 200 };
  await using bob = startSupport("v1_peer_main.ts", fast, network.host0);
  await alice.waitFor({ event: "peer_up", nickname: "bob" });
  await alice.send({ command: "send", to: "bob", content: "hi 😀" });
  await bob.waitFor({ event: "message", from: "alice", content: "hi 😀" });
});

namespaceTest("a version 1 peer drops a peer that is silent", async () => {
  await using network = await oneLan(2);
  const [left, right] = network.hosts;
  const quick = { announceIntervalMs: 200, expiryMs: 600, checkIntervalMs: 100 };
  await using alice = startSupport("v1_peer_main.ts", { nickname: "alice", ...quick }, left);
  await using bob = startSupport("v1_peer_main.ts", { nickname: "bob", ...quick }, right);
  await Promise.all([
    alice.waitFor({ event: "peer_up", nickname: "bob" }),
    bob.waitFor({ event: "peer_up", nickname: "alice" }),
  ]);
  await bob.send({ command: "quit" });
  await alice.waitFor({ event: "expired", nickname: "bob" });
});

namespaceTest("version 1 clients on two networks talk through a version 1 server", async () => {
  await using network = await twoLans();
  const { left, right, server } = network;
  const settings = { hostname: "0.0.0.0", port: 8080 };
  await using bootstrap = startSupport("v1_bootstrap_server_main.ts", settings, server);
  await bootstrap.waitFor({ event: "ready" });
  const client = (nickname: string) => ({
    nickname,
    url: "ws://10.3.0.2:8080",
    listIntervalMs: 200,
  });
  const module = "v1_bootstrap_client_main.ts";
  await using alice = startSupport(module, client("alice"), left);
  await using bob = startSupport(module, client("bob"), right);
  const registered = await alice.waitFor({ event: "registered" });
  assert.match(String(registered.public_addr), /^10\.1\.0\.2:\d+$/);
  await alice.waitFor({ event: "peer_up", nickname: "bob" });
  await alice.send({ command: "send", to: "bob", content: "hi" });
  await bob.waitFor({ event: "message", from: "alice", content: "hi" });
  await bob.send({ command: "quit" });
  await bootstrap.waitFor({ event: "left", nickname: "bob" });
});
