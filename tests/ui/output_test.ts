import assert from "node:assert/strict";
import { Output } from "../../lib/ui/output.ts";
import { watched } from "../peer/fixtures.ts";
import { settle } from "../support/fake_clock.ts";

const MIB = 1024 * 1024;

/** A reader that takes bytes when the test lets it. */
class Reader {
  text = "";
  writes = 0;
  #wait: PromiseWithResolvers<void> | undefined;
  #decoder = new TextDecoder();
  #gone = false;

  constructor(private readonly most = Infinity) {}

  stall(): void {
    this.#wait = Promise.withResolvers();
  }
  go(): void {
    this.#wait?.resolve();
    this.#wait = undefined;
  }
  leave(): void {
    this.#gone = true;
    this.go();
  }

  readonly write = async (bytes: Uint8Array): Promise<number> => {
    this.writes++;
    await this.#wait?.promise;
    if (this.#gone) throw new Deno.errors.BrokenPipe("Broken pipe");
    const count = Math.min(this.most, bytes.length);
    this.text += this.#decoder.decode(bytes.subarray(0, count), { stream: true });
    return count;
  };
}

Deno.test("what is written in one turn, or during a write, shares a write", async () => {
  const reader = new Reader();
  const output = new Output(reader.write);
  for (let at = 0; at < 100; at++) output.push(`${at}\n`);
  reader.stall();
  await settle();
  assert.equal(reader.writes, 1);
  for (let at = 100; at < 200; at++) output.push(`${at}\n`);
  await settle();
  reader.go();
  await output.flush();
  assert.equal(reader.writes, 2);
  assert.equal(reader.text, Array.from({ length: 200 }, (_, at) => `${at}\n`).join(""));
});

Deno.test("a reader that takes a few bytes at a time gets everything, whole characters included", async () => {
  const reader = new Reader(3);
  const output = new Output(reader.write);
  output.push("größer 😀😀\n");
  output.push("ende\n");
  await output.flush();
  assert.equal(reader.text, "größer 😀😀\nende\n");
});

Deno.test("a slow reader makes producers wait from a mebi of characters on", async () => {
  const reader = new Reader();
  const output = new Output(reader.write);
  reader.stall();
  output.push("x");
  await settle();
  assert.equal(output.ready(), undefined);
  output.push("x".repeat(MIB));
  let ready = false;
  output.ready()!.then(() => ready = true);
  output.ready()!.then(() => ready = true);
  await settle();
  assert.equal(ready, false);
  reader.go();
  await settle();
  assert.equal(ready, true);
  assert.equal(output.ready(), undefined);
  await output.flush();
  assert.equal(reader.text.length, MIB + 1);
});

Deno.test("when the reader has gone that is told, who waits is let go, and nothing is kept", async () => {
  const reader = new Reader();
  const output = new Output(reader.write);
  let closed = false;
  output.closed.then(() => closed = true);
  reader.stall();
  output.push("one");
  await settle();
  output.push("x".repeat(2 * MIB));
  const room = output.ready()!;
  assert.equal(closed, false);
  reader.leave();
  await room;
  await output.flush();
  await settle();
  assert.equal(closed, true);
  const { writes } = reader;
  output.push("x".repeat(2 * MIB));
  assert.equal(output.ready(), undefined);
  await output.flush();
  assert.equal(reader.writes, writes);
});

Deno.test("with nothing to write there is nothing to wait for", async () => {
  const reader = new Reader();
  const output = new Output(reader.write);
  await output.flush();
  assert.equal(output.ready(), undefined);
  output.push("");
  await output.flush();
  assert.equal(reader.text, "");
});

Deno.test("text counts as written when the reader has it, and not when he has gone", async () => {
  const reader = new Reader();
  const output = new Output(reader.write);
  assert.equal(await output.written(), true);
  reader.stall();
  output.push("one\n");
  await settle();
  const first = watched(output.written());
  output.push("two\n");
  const second = watched(output.written());
  await settle();
  assert.deepEqual([first.state, second.state], ["waiting", "waiting"]);
  reader.go();
  reader.stall();
  await settle();
  // What comes all the time holds up nobody.
  for (let more = 0; more < 3; more++) {
    output.push("more\n");
    reader.go();
    reader.stall();
    await settle();
  }
  assert.deepEqual([first.state, second.state], ["sent", "sent"]);
  const last = output.written();
  reader.leave();
  assert.equal(await last, false);
  assert.equal(await output.written(), false);
});

Deno.test("a disk that is full is told, a reader that has gone is not", async () => {
  const failing = async (error: Error) => {
    const output = new Output(() => Promise.reject(error));
    output.push("one");
    await output.flush();
    await output.closed;
    return output;
  };
  (await failing(new Deno.errors.BrokenPipe("Broken pipe (os error 32)"))).check();
  (await failing(new Error("Input/output error (os error 5)"))).check();
  const full = await failing(new Error("No space left on device (os error 28)"));
  assert.throws(() => full.check(), {
    name: "ParlanceError",
    message: /^Cannot write all of the output: No space left on device \(os error 28\); /,
  });
});
