import assert from "node:assert/strict";
import { settle } from "../support/fake_clock.ts";
import { addHost } from "./fixtures.ts";
import { dial, KIB, line, start, write } from "./inbound_fixtures.ts";

Deno.test("a slow consumer makes senders wait instead of filling the memory", async () => {
  const { network, contents, gate, inbound } = start();
  gate.close();
  const stream = await dial(addHost(network, "10.0.0.2"));
  let written = 0;
  const writing = (async () => {
    for (; written < 2000; written++) await write(stream, line("x".repeat(KIB)));
  })();
  await settle(20);
  assert.ok(contents().length < 100, `${contents().length} were read`);
  assert.ok(written < 200, `${written} were taken`);
  gate.open();
  await writing;
  await settle();
  assert.equal(contents().length, 2000);
  await inbound[Symbol.asyncDispose]();
});

Deno.test("a slow consumer makes those wait, too, who open a connection for each message", async () => {
  const { network, contents, gate, inbound } = start();
  gate.close();
  const host = addHost(network, "10.0.0.2");
  for (let at = 0; at < 1000; at++) {
    const stream = await dial(host);
    await write(stream, line(String(at)));
    stream.close();
    if (at % 10 === 0) await settle(1);
  }
  await settle();
  assert.ok(contents().length <= 1, `${contents().length} were read`);
  gate.open();
  await settle(20);
  assert.deepEqual(contents(), Array.from({ length: 1000 }, (_, at) => String(at)));
  await inbound[Symbol.asyncDispose]();
});

Deno.test("the time that a slow consumer takes is not held against the sender", async () => {
  const { clock, network, contents, gate, refusals, inbound } = start();
  const stream = await dial(addHost(network, "10.0.0.2"));
  await settle();
  gate.close();
  await write(stream, line("one") + line("two").slice(0, 10));
  await clock.advance(600_000);
  assert.equal(inbound.connections, 1);
  gate.open();
  await clock.advance(10_000);
  await write(stream, line("two").slice(10));
  await settle();
  assert.deepEqual(contents(), ["one", "two"]);
  assert.deepEqual(refusals.totals(), {});
  await clock.advance(110_000);
  assert.equal(inbound.connections, 1, "it is idle since its last byte");
  await clock.advance(20_000);
  assert.equal(inbound.connections, 0);
  await inbound[Symbol.asyncDispose]();
});
