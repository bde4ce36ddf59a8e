import assert from "node:assert/strict";
import { ParlanceError } from "../../lib/errors.ts";
import { Outbound } from "../../lib/peer/outbound.ts";
import { settle } from "../support/fake_clock.ts";
import { memoryWorld, peerAt, ScriptedStream, scriptedTransport, watched } from "./fixtures.ts";

const address = { hostname: "10.0.0.2", port: 2 };

Deno.test("lines that wait are judged again before they leave, in the middle of a batch, too", async () => {
  const { clock } = memoryWorld();
  let isKnown = false;
  const streams: ScriptedStream[] = [];
  const outbound = new Outbound({
    clock,
    transport: scriptedTransport(() => {
      // Takes one line, in which time it becomes known who the peer is.
      streams.push(
        new ScriptedStream(address, () => {
          isKnown = true;
          return "one\n".length;
        }),
      );
      return streams.at(-1)!;
    }),
    admit(peer) {
      if (isKnown) throw new ParlanceError(`Cannot send to ${peer.label}: it is known`);
    },
  });
  const peer = peerAt([address]);
  const sends = ["one\n", "two\n", "three\n"].map((line) => watched(outbound.send(peer, line)));
  await settle();
  assert.equal(sends[0].state, "sent");
  for (const { state } of sends.slice(1)) {
    assert.match(String(state), /Cannot send to bob: it is known/);
  }
  assert.deepEqual(streams.map(({ written, closed }) => [written, closed]), [["one\n", true]]);
  await outbound[Symbol.asyncDispose]();
  assert.equal(clock.waiting, 0);
});

Deno.test("nobody is dialled for a line that is not admitted", async () => {
  const { clock } = memoryWorld();
  const outbound = new Outbound({
    clock,
    transport: scriptedTransport(() => assert.fail("dialled")),
    admit: () => {
      throw new ParlanceError("Cannot send: it is known");
    },
  });
  const send = watched(outbound.send(peerAt([address], { version: 1 }), "one\n"));
  await settle();
  assert.match(String(send.state), /it is known/);
  await outbound[Symbol.asyncDispose]();
});
