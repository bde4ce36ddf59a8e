import assert from "node:assert/strict";
import type { Session } from "../lib/peer/session.ts";
import { stayingSession } from "../lib/peer/session_choice.ts";
import { comparePeerIds } from "../lib/wire/peer_id.ts";
import {
  decodeSessionLine,
  encodeSessionLine,
  encodeSessionMessage,
  type Hello,
} from "../lib/wire/session.ts";
import { idOf } from "./discovery/registry_fixtures.ts";

interface Example {
  readonly from: string;
  readonly connection: string | undefined;
  readonly text: string;
}

const document = await Deno.readTextFile(new URL("../docs/protocol-2.md", import.meta.url));
const examples: Example[][] = document.slice(document.indexOf("## Examples"))
  .split("```").filter((_, index) => index % 2 === 1)
  .map((block) =>
    [...block.matchAll(/^([AB]) → [AB] {2}(?:\((\d)\) )?(\{.*\})/gm)]
      .map(([, from, connection, text]) => ({ from, connection, text }))
  );

Deno.test("examples of the specification are what is written, to the byte", () => {
  const types = new Set<string>();
  for (const { text } of examples.flat()) {
    const decoded = decodeSessionLine(text);
    assert.ok(decoded.ok && decoded.value !== undefined, text);
    const line = decoded.value;
    const written = line.type === "message"
      ? encodeSessionMessage(line.seq, line.content, line.timestamp)
      : encodeSessionLine(line);
    assert.equal(written, `${text}\n`);
    types.add(line.type);
  }
  assert.deepEqual([...types].sort(), [
    "ack",
    "bye",
    "hello",
    "message",
    "ping",
    "pong",
    "refused",
  ]);
});

Deno.test("of the crossed dials of the specification both sides keep the first, in either order", () => {
  const crossing = examples.at(-1)!;
  const [alice, bob] = [idOf(1), idOf(2)];
  assert.ok(comparePeerIds(alice, bob) < 0);
  const hello = (who: string, on: string) => {
    const { text } = crossing.find(({ from, connection, text }) =>
      from === who && connection === on && text.includes('"hello"')
    )!;
    return JSON.parse(text) as Hello;
  };
  for (
    const [own, peerId, me, other] of [[alice, bob, "A", "B"], [bob, alice, "B", "A"]] as const
  ) {
    const [first, second] = ["1", "2"].map((on) => {
      const session = { peerId, hello: hello(me, on), peerHello: hello(other, on) };
      return { ...session, isDialler: session.hello.dialled !== undefined } as Session;
    });
    assert.equal(stayingSession(own, first, second), first);
    assert.equal(stayingSession(own, second, first), first);
  }
});
