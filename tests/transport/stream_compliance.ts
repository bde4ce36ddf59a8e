import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { Listener, Stream, Transport } from "../../lib/transport/stream.ts";
import type { SocketAddress } from "../../lib/wire/address.ts";

/** A transport as {@linkcode testStreams} tries it. */
export interface TransportUnderTest extends AsyncDisposable {
  /** Dials. */
  readonly near: Transport;
  /** Is dialled. */
  readonly far: Transport;
  /** Where the far side can listen; port 0. */
  readonly address: SocketAddress;
  /** Where nobody accepts, and says so. */
  readonly refused: SocketAddress;
  /** Where an attempt to dial finds no answer, for as long as the test runs. */
  readonly silent: SocketAddress;
  /**
   * Tells when what is under way has come as far as it can without anybody reading: of a network
   * in memory that is exact, of a real one a good guess.
   */
  settle(): Promise<void>;
}

/** More than any transport buffers between two ends, in bytes. */
const MUCH = 32 * 1024 * 1024;

const never = new AbortController().signal;

/** Registers the tests that every transport has to pass. */
export function testStreams(name: string, make: () => Promise<TransportUnderTest>): void {
  const test = (what: string, run: (transport: TransportUnderTest) => void | Promise<void>) => {
    Deno.test(`${name}: ${what}`, async () => {
      await using transport = await make();
      await run(transport);
    });
  };

  test("both ends know the addresses of both", async (transport) => {
    using listener = transport.far.listen(transport.address);
    assert.equal(listener.address.hostname, transport.address.hostname);
    assert.ok(listener.address.port > 0);
    using pair = await connect(transport, listener);
    assert.deepEqual(pair.near.remote, listener.address);
    assert.deepEqual(pair.far.local, listener.address);
    assert.deepEqual(pair.near.local, pair.far.remote);
  });

  test("bytes arrive in order and complete, in chunks of any size", async (transport) => {
    using listener = transport.far.listen(transport.address);
    const sizes = fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 6 });
    const buffers = fc.integer({ min: 1000, max: 100_000 });
    await fc.assert(
      fc.asyncProperty(sizes, buffers, fc.nat(255), async (chunks, buffer, seed) => {
        using pair = await connect(transport, listener);
        const sent = chunks.map((size, index) => pattern(size, seed + index));
        const written = (async () => {
          for (const chunk of sent) await writeAll(pair.near, chunk);
          await pair.near.closeWrite();
        })();
        const received = await readAll(pair.far, buffer);
        await written;
        assert.equal(Buffer.compare(received, Buffer.concat(sent)), 0);
      }),
      { numRuns: 15 },
    );
  });

  test("what is written may be changed as soon as the write has returned", async (transport) => {
    using listener = transport.far.listen(transport.address);
    using pair = await connect(transport, listener);
    const bytes = pattern(1000, 1);
    const copy = bytes.slice();
    await writeAll(pair.near, bytes);
    bytes.fill(0);
    await pair.near.closeWrite();
    assert.deepEqual(await readAll(pair.far), Buffer.from(copy));
  });

  test("both directions carry bytes at the same time", async (transport) => {
    using listener = transport.far.listen(transport.address);
    using pair = await connect(transport, listener);
    const [forth, back] = [pattern(300_000, 1), pattern(400_000, 2)];
    const send = async (stream: Stream, bytes: Uint8Array) => {
      await writeAll(stream, bytes);
      await stream.closeWrite();
    };
    const [atFar, atNear] = await Promise.all([
      readAll(pair.far),
      readAll(pair.near),
      send(pair.near, forth),
      send(pair.far, back),
    ]);
    assert.deepEqual(atFar, Buffer.from(forth));
    assert.deepEqual(atNear, Buffer.from(back));
  });

  test("an end of one direction leaves the other one open", async (transport) => {
    using listener = transport.far.listen(transport.address);
    using pair = await connect(transport, listener);
    await writeAll(pair.near, pattern(10, 1));
    await pair.near.closeWrite();
    assert.deepEqual(await readAll(pair.far), Buffer.from(pattern(10, 1)));
    assert.equal(await pair.far.read(new Uint8Array(1)), null); // still
    const written = writeAll(pair.far, pattern(200_000, 2)).then(() => pair.far.close());
    assert.deepEqual(await readAll(pair.near), Buffer.from(pattern(200_000, 2)));
    await written;
  });

  test("nothing can be written after the end of the direction", async (transport) => {
    using listener = transport.far.listen(transport.address);
    using pair = await connect(transport, listener);
    await pair.near.closeWrite();
    await assert.rejects(pair.near.write(new Uint8Array(1)));
  });

  test("a read waits until something comes", async (transport) => {
    using listener = transport.far.listen(transport.address);
    using pair = await connect(transport, listener);
    let done = false;
    const read = pair.far.read(new Uint8Array(10)).then((count) => {
      done = true;
      return count;
    });
    await transport.settle();
    assert.equal(done, false);
    await writeAll(pair.near, pattern(3, 1));
    assert.equal(await read, 3);
  });

  test("closing rejects a read that is under way, and ends the other side's", async (transport) => {
    using listener = transport.far.listen(transport.address);
    using pair = await connect(transport, listener);
    const here = pair.near.read(new Uint8Array(1));
    const there = pair.far.read(new Uint8Array(1));
    const rejected = assert.rejects(here);
    pair.near.close();
    await rejected;
    assert.equal(await there, null);
  });

  test("closing rejects a write that is under way, and the other side's", async (transport) => {
    using listener = transport.far.listen(transport.address);
    using pair = await connect(transport, listener);
    const writes = Promise.all(
      [pair.near, pair.far].map((stream) => assert.rejects(writeAll(stream, pattern(MUCH, 1)))),
    );
    await transport.settle();
    pair.near.close();
    await writes;
  });

  test("a closed stream can neither be read nor written, and closed again", async (transport) => {
    using listener = transport.far.listen(transport.address);
    using pair = await connect(transport, listener);
    await writeAll(pair.far, pattern(10, 1));
    pair.near.close();
    pair.near.close();
    await assert.rejects(pair.near.read(new Uint8Array(1)));
    await assert.rejects(pair.near.write(new Uint8Array(1)));
  });

  test("a writer waits for a reader that does not read", async (transport) => {
    using listener = transport.far.listen(transport.address);
    using pair = await connect(transport, listener);
    const bytes = pattern(MUCH, 3);
    let taken = 0;
    const written = (async () => {
      while (taken < bytes.length) taken += await pair.near.write(bytes.subarray(taken));
      await pair.near.closeWrite();
    })();
    await transport.settle();
    assert.ok(taken < MUCH, `${taken} bytes were taken`);
    const received = await readAll(pair.far, 1 << 20);
    await written;
    assert.equal(Buffer.compare(received, Buffer.from(bytes)), 0);
  });

  test("what was written before the close arrives", async (transport) => {
    using listener = transport.far.listen(transport.address);
    using pair = await connect(transport, listener);
    await writeAll(pair.near, pattern(20_000, 4));
    pair.near.close();
    assert.deepEqual(await readAll(pair.far), Buffer.from(pattern(20_000, 4)));
  });

  test("dialling is refused where nobody accepts", async (transport) => {
    await assert.rejects(transport.near.dial(transport.refused, never), /refused/);
  });

  test("dialling fails at once where it was given up before", async (transport) => {
    using listener = transport.far.listen(transport.address);
    const reason = new Error("enough");
    const dialled = transport.near.dial(listener.address, AbortSignal.abort(reason));
    await assert.rejects(dialled, reason);
  });

  test("dialling that finds no answer can be given up", async (transport) => {
    const attempt = new AbortController();
    const reason = new Error("enough");
    const rejected = assert.rejects(transport.near.dial(transport.silent, attempt.signal), reason);
    await transport.settle();
    attempt.abort(reason);
    await rejected;
  });

  test("giving up after the connection is made does not touch it", async (transport) => {
    using listener = transport.far.listen(transport.address);
    const attempt = new AbortController();
    const [near, far] = await Promise.all([
      transport.near.dial(listener.address, attempt.signal),
      listener.accept(),
    ]);
    using pair = new Pair(near, far);
    attempt.abort(new Error("enough"));
    await writeAll(pair.near, pattern(5, 1));
    assert.equal(await pair.far.read(new Uint8Array(10)), 5);
  });

  test("an accept that waits is rejected when the listener closes", async (transport) => {
    const listener = transport.far.listen(transport.address);
    const rejected = assert.rejects(listener.accept());
    listener.close();
    listener.close();
    await rejected;
    await assert.rejects(listener.accept());
    await assert.rejects(transport.near.dial(listener.address, never), /refused/);
  });

  test("accepted streams outlive their listener", async (transport) => {
    const listener = transport.far.listen(transport.address);
    using pair = await connect(transport, listener);
    listener.close();
    await writeAll(pair.near, pattern(5, 1));
    assert.equal(await pair.far.read(new Uint8Array(10)), 5);
  });

  test("a port is taken once, and free again after the close", (transport) => {
    const listener = transport.far.listen(transport.address);
    assert.throws(() => transport.far.listen(listener.address), /in use/);
    listener.close();
    using again = transport.far.listen(listener.address);
    assert.deepEqual(again.address, listener.address);
  });

  test("many streams do not mix", async (transport) => {
    using listener = transport.far.listen(transport.address);
    await using _closing = echo(listener);
    await Promise.all(Array.from({ length: 100 }, async (_, index) => {
      using stream = await transport.near.dial(listener.address, never);
      const bytes = pattern(5000, index);
      await writeAll(stream, bytes);
      await stream.closeWrite();
      assert.deepEqual(await readAll(stream), Buffer.from(bytes));
    }));
  });
}

/** Two ends of a connection. */
class Pair implements Disposable {
  constructor(readonly near: Stream, readonly far: Stream) {}

  [Symbol.dispose](): void {
    this.near.close();
    this.far.close();
  }
}

async function connect({ near }: TransportUnderTest, listener: Listener): Promise<Pair> {
  const [dialled, accepted] = await Promise.all([
    near.dial(listener.address, never),
    listener.accept(),
  ]);
  return new Pair(dialled, accepted);
}

/** Sends back what comes on each stream, until the listener is closed. */
function echo(listener: Listener): AsyncDisposable {
  const serve = async (accepted: Stream) => {
    using stream = accepted;
    await writeAll(stream, await readAll(stream));
    await stream.closeWrite();
  };
  const served: Promise<void>[] = [];
  const accepting = (async () => {
    try {
      while (true) served.push(serve(await listener.accept()));
    } catch {
      // Closed.
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      await Promise.all(served);
    },
  };
}

/** Bytes that show a lost, doubled or moved one: a counter of 251 steps, which no buffer divides. */
function pattern(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const period = 251;
  const bytes = new Uint8Array(length);
  for (let index = 0; index < Math.min(length, period); index++) {
    bytes[index] = (index + seed) % period;
  }
  for (let filled = period; filled < length; filled *= 2) bytes.copyWithin(filled, 0, filled);
  return bytes;
}

async function writeAll(stream: Stream, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const taken = await stream.write(bytes.subarray(at));
    assert.ok(taken >= 1 && taken <= bytes.length - at);
    at += taken;
  }
}

async function readAll(stream: Stream, bufferSize = 16 * 1024): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const buffer = new Uint8Array(bufferSize);
  while (true) {
    const count = await stream.read(buffer);
    if (count === null) return Buffer.concat(chunks);
    assert.ok(count >= 1 && count <= buffer.length);
    chunks.push(buffer.slice(0, count));
  }
}
