import assert from "node:assert/strict";
import fc from "fast-check";
import { type ClientMessage, decodeClientFrame, encodeFrame } from "../../lib/wire/bootstrap.ts";
import { memoryServer } from "./memory_client.ts";

const message: fc.Arbitrary<ClientMessage> = fc.oneof(
  fc.record({ type: fc.constantFrom("list_peers", "heartbeat", "unregister") }),
  fc.record(
    {
      type: fc.constant("register" as const),
      nickname: fc.string({ unit: "binary" }),
      local_addr: fc.string({ unit: "binary" }),
      version: fc.integer({ min: 1, max: 65535 }),
      instance: fc.stringMatching(/^[0-9a-f]{16}$/),
    },
    { requiredKeys: ["type", "nickname", "local_addr"] },
  ),
) as fc.Arbitrary<ClientMessage>;

/** JSON that looks like a message and is wrong somewhere, or not. */
const nearly = fc.record(
  {
    type: fc.oneof(fc.constantFrom("register", "list_peers", "heartbeat"), fc.jsonValue()),
    nickname: fc.jsonValue(),
    local_addr: fc.jsonValue(),
    version: fc.jsonValue(),
    instance: fc.jsonValue(),
  },
  { requiredKeys: [] },
).map((value) => JSON.stringify(value));

Deno.test("client's frame is read as it was written", () => {
  fc.assert(fc.property(message, (written) => {
    const read = decodeClientFrame(encodeFrame(written));
    assert.ok(read.ok);
    assert.deepEqual(JSON.parse(encodeFrame(read.value)), JSON.parse(encodeFrame(written)));
  }));
});

Deno.test("no text makes the decoder of client frames throw", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.json(), nearly);
  fc.assert(fc.property(text, (frame) => {
    const read = decodeClientFrame(frame);
    assert.equal(typeof (read.ok ? read.value.type : read.cause), "string");
  }));
});

Deno.test("no sequence of frames makes a server fail, answer out of form or keep what left", () => {
  const frame = fc.oneof(
    fc.string({ unit: "binary" }),
    nearly,
    message.map((written) => encodeFrame(written)),
    fc.constant(new ArrayBuffer(3)),
  );
  fc.assert(fc.property(fc.array(frame, { maxLength: 30 }), (frames) => {
    const { client, core } = memoryServer();
    const hostile = client();
    for (const text of frames) {
      for (const answer of hostile.ask(text)) {
        assert.ok(["registered", "peer_list", "error"].includes(answer.type as string));
      }
    }
    assert.equal(core.stats().refusals["messages that the server failed on"], undefined);
    hostile.leave();
    assert.equal(core.stats().peers, 0);
    assert.equal(core.stats().connections, 0);
    core[Symbol.dispose]();
  }));
});
