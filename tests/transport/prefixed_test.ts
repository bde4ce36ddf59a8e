import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { PrefixedStream } from "../../lib/transport/prefixed.ts";
import type { Stream } from "../../lib/transport/stream.ts";
import { addHost, memoryWorld } from "../peer/fixtures.ts";
import { settle } from "../support/fake_clock.ts";

/** Two ends of a connection in memory. */
async function connected(): Promise<{ near: Stream; far: Stream }> {
  const { network } = memoryWorld();
  const [dialler, host] = [addHost(network, "10.0.0.1"), addHost(network, "10.0.0.2")];
  const listener = host.transport.listen({ hostname: "0.0.0.0", port: 0 });
  const address = { hostname: "10.0.0.2", port: listener.address.port };
  const near = await dialler.transport.dial(address, new AbortController().signal);
  return { near, far: await listener.accept() };
}

Deno.test("what was read is read again first, whatever the sizes, and then the rest", async () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(bytes, bytes, fc.integer({ min: 1, max: 25 }), async (head, rest, size) => {
      const { near, far } = await connected();
      const prefix = head.slice();
      const stream = new PrefixedStream(far, prefix);
      prefix.fill(0); // its owner goes on with it
      await near.write(rest);
      await near.closeWrite();
      const parts: Uint8Array[] = [];
      const buffer = new Uint8Array(size);
      for (let count; (count = await stream.read(buffer)) !== null;) {
        assert.ok(count >= 1);
        parts.push(buffer.slice(0, count));
      }
      assert.deepEqual(Buffer.concat(parts), Buffer.concat([head, rest]));
    }),
    { numRuns: 100 },
  );
});

Deno.test("everything else is the stream's below", async () => {
  const { near, far } = await connected();
  const stream = new PrefixedStream(far, new Uint8Array(0));
  assert.deepEqual([stream.local, stream.remote], [far.local, far.remote]);
  assert.equal(await stream.write(new Uint8Array(5)), 5);
  await stream.closeWrite();
  const buffer = new Uint8Array(10);
  assert.equal(await near.read(buffer), 5);
  assert.equal(await near.read(buffer), null);
  const rejected = assert.rejects(stream.read(buffer));
  await settle();
  stream.close();
  await rejected;
});
