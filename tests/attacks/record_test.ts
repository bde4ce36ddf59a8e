import assert from "node:assert/strict";
import { dialAs, eventually, Lan, newIdentity, opening } from "./fixtures.ts";

/** A record of TLS 1.3 (RFC 8446, section 5.1) that nobody has encrypted. */
const FORGED_RECORD = Uint8Array.of(23, 3, 3, 0, 32, ...new Uint8Array(32));

Deno.test("bytes that somebody puts into a session end it, instead of stalling it", async () => {
  const lan = new Lan();
  await using alice = await lan.start("alice");
  const identity = await newIdentity();
  using raw = await dialAs(identity, alice.node);
  await raw.write(opening("bob"));
  const bob = { id: identity.id } as Parameters<typeof alice.node.isConnected>[0];
  await eventually(() => alice.node.isConnected(bob), "the session");
  const keptAlive = (async () => {
    while (await raw.read() !== null);
  })();
  await raw.connection.write(FORGED_RECORD);
  await keptAlive;
  await eventually(() => !alice.node.isConnected(bob), "the end of the session");
  assert.equal(raw.alert, 20, "bad_record_mac");
});
