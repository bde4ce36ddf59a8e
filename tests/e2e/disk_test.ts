import assert from "node:assert/strict";
import type { Child, Event } from "../support/child.ts";
import type { Host } from "../support/host.ts";
import { type NamespaceHost, oneLan } from "../support/namespaces.ts";
import { startClient } from "../support/program.ts";
import { namespaceSessionTest } from "../support/sessions.ts";
import { HISTORY_FILE } from "../../lib/store/schema.ts";

/** Size of the disk, and of messages: the room that files have already takes a few of these. */
const DISK_BYTES = 4 * 2 ** 20;
const LONG = "x".repeat(60_000);
const MAX_UNTIL_FULL = 100;

/** A host whose programs have a small disk at a place that is an empty directory elsewhere. */
class SmallDisk implements Host {
  constructor(
    private readonly host: NamespaceHost,
    readonly path: string,
  ) {}

  enter(command: string, args: readonly string[]): { command: string; args: string[] } {
    // `ip netns exec` gives each program mounts of its own, and the shell becomes the command.
    const mount = `mount -t tmpfs -o size=${DISK_BYTES},mode=0700 disk "$0" && exec "$@"`;
    return this.host.enter("sh", ["-c", mount, this.path, command, ...args]);
  }

  /** Takes all the room that is left; the result gives it back. */
  async fill(client: Child): Promise<() => Promise<void>> {
    const path = `/proc/${client.pid}/root${this.path}/filler`;
    using file = await Deno.open(path, { write: true, createNew: true });
    for (let size = 65_536; size >= 1; size = Math.floor(size / 2)) {
      try {
        while (await file.write(new Uint8Array(size)) > 0);
      } catch {
        // This much does not fit.
      }
    }
    return () => Deno.remove(path);
  }
}

/** A host whose programs see a directory in another way: a shell script makes it so first. */
class Mounted implements Host {
  /** @param script Has the directory as `$0`. */
  constructor(
    private readonly host: NamespaceHost,
    private readonly directory: string,
    private readonly script: string,
  ) {}

  enter(command: string, args: readonly string[]): { command: string; args: string[] } {
    const script = `${this.script} && exec "$@"`;
    return this.host.enter("sh", ["-c", script, this.directory, command, ...args]);
  }
}

const READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"';
const FULL =
  `cp -a "$0" "$0.copy" && mount -t tmpfs -o size=${DISK_BYTES},mode=0700 disk "$0" && ` +
  'cp -a "$0.copy/." "$0" && rm -r "$0.copy" && ! cat /dev/zero >"$0/filler" 2>/dev/null';

/** Two clients that have met and talked; bob's profile is on a small disk. */
async function withTwo(
  body: (parts: { alice: Child; bob: Child; disk: SmallDisk }) => Promise<void>,
): Promise<void> {
  await using network = await oneLan(2);
  const directory = await Deno.makeTempDir({ prefix: "parlance-disk-" });
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => Deno.remove(directory, { recursive: true }));
  const [left, right] = network.hosts;
  const disk = new SmallDisk(right, directory);
  await using alice = startClient("alice", { host: left });
  await using bob = startClient("bob", { host: disk, args: ["--data-dir", directory] });
  await Promise.all([
    alice.waitFor({ event: "peer_up", nickname: "bob" }),
    bob.waitFor({ event: "peer_up", nickname: "alice" }),
  ]);
  await say(alice, "bob", "hello");
  await alice.waitFor({ event: "delivered", ref: "hello" });
  await say(bob, "alice", "hello back");
  await bob.waitFor({ event: "delivered", ref: "hello back" });
  await body({ alice, bob, disk });
}

/** Sends a message whose beginning is its `ref`. */
function say(from: Child, to: string, content: string, filler = ""): Promise<void> {
  return from.send({ command: "send", to, content: content + filler, ref: content });
}

/** The messages of a client's history that came from others, without what fills them. */
async function received(client: Child): Promise<string[]> {
  const from = client.mark();
  await client.send({ command: "history", count: 1000, ref: "history" });
  const { messages } = await client.waitFor({ event: "history", ref: "history" }, from);
  return (messages as Event[]).filter(({ direction }) => direction === "in")
    .map(({ content }) => String(content).replace(LONG, ""));
}

namespaceSessionTest(
  "while the disk is full messages are shown and not confirmed, and kept and confirmed once there is room",
  async () => {
    await withTwo(async ({ alice, bob, disk }) => {
      const makeRoom = await disk.fill(bob);
      const isTold = ({ event, ref }: Event) => event === "error" && ref === undefined;
      const sent: string[] = [];
      for (let number = 1; bob.all(isTold).length === 0; number++) {
        assert.ok(number < MAX_UNTIL_FULL, `the disk takes everything\n${bob.report()}`);
        sent.push(`long ${number}`);
        await say(alice, "bob", sent.at(-1)!, LONG);
        await bob.waitFor({ event: "message", content: sent.at(-1)! + LONG });
      }
      const lost = sent.at(-1)!; // the only one that is not kept
      assert.match(
        String(bob.all(isTold)[0].message),
        /full.*messages are shown.*but neither kept nor confirmed/,
      );
      for (let number = 1; number <= 5; number++) {
        sent.push(`short ${number}`);
        await say(alice, "bob", sent.at(-1)!);
        await bob.waitFor({ event: "message", content: sent.at(-1)! });
      }
      // What bob says comes behind anything that he has confirmed until then.
      await say(bob, "alice", "my disk is full");
      await alice.waitFor({ event: "message", content: "my disk is full" });
      const confirmed = alice.all({ event: "delivered" }).map(({ ref }) => ref);
      assert.deepEqual(confirmed, ["hello", ...sent.slice(0, sent.indexOf(lost))]);

      await makeRoom();
      sent.push("now there is room");
      await say(alice, "bob", sent.at(-1)!);
      await alice.waitFor({ event: "delivered", ref: sent.at(-1)! });
      for (const ref of sent) {
        assert.equal(alice.all({ event: "delivered", ref }).length, 1, ref);
        const isIt = ({ event, content }: Event) =>
          event === "message" && String(content).replace(LONG, "") === ref;
        assert.equal(bob.all(isIt).length, 1, ref);
      }
      assert.deepEqual(await received(bob), ["hello", ...sent]);
      assert.equal(bob.all(isTold).length, 1, "told once");
    });
  },
);

namespaceSessionTest(
  "somebody whose disk is full can answer, and is told that nothing of that is kept",
  async () => {
    await withTwo(async ({ alice, bob, disk }) => {
      const makeRoom = await disk.fill(bob);
      const isTold = ({ event, ref }: Event) => event === "error" && ref === undefined;
      for (let number = 1; bob.all(isTold).length === 0; number++) {
        assert.ok(number < MAX_UNTIL_FULL, `the disk takes everything\n${bob.report()}`);
        await say(bob, "alice", `long ${number}`, LONG);
        await bob.waitFor({ event: "delivered", ref: `long ${number}` });
      }
      assert.match(String(bob.all(isTold)[0].message), /full/);
      await say(bob, "alice", "still here");
      await bob.waitFor({ event: "delivered", ref: "still here" });
      await alice.waitFor({ event: "message", content: "still here" });
      assert.equal(bob.all(isTold).length, 1, "told once");
      // Who is away cannot be told, and nothing remembers what is to be said: that is refused.
      await alice.send({ command: "quit" });
      await bob.waitFor({ event: "peer_down", nickname: "alice" });
      await say(bob, "alice", "for later", LONG);
      const refusal = await bob.waitFor({ event: "error", ref: "for later" });
      assert.match(String(refusal.message), /full.*make room/);
      await makeRoom();
      await say(bob, "alice", "now for later");
      await bob.waitFor({ event: "pending", ref: "now for later" });
    });
  },
);

/** Starts a client whose history cannot be used, and has it exchange messages with another one. */
async function talksWithout(directory: string, why: RegExp, script = ":"): Promise<void> {
  await using network = await oneLan(2);
  const [left, right] = network.hosts;
  await using alice = startClient("alice", { host: left });
  const host = new Mounted(right, directory, script);
  await using bob = startClient("bob", { host, args: ["--data-dir", directory] });
  await bob.waitFor(({ event, message }) => event === "error" && why.test(String(message)));
  await Promise.all([
    alice.waitFor({ event: "peer_up", nickname: "bob" }),
    bob.waitFor({ event: "peer_up", nickname: "alice" }),
  ]);
  await say(alice, "bob", "hello");
  await bob.waitFor({ event: "message", content: "hello" });
  await say(bob, "alice", "hello back");
  await alice.waitFor({ event: "message", content: "hello back" });
  await bob.waitFor({ event: "delivered", ref: "hello back" });
  assert.deepEqual(await received(bob), ["hello"], "kept while the program runs");
  const [{ problem }] = bob.all({ event: "history" });
  assert.match(String(problem), why);
  assert.match(
    String(problem),
    /kept only while this client runs, and what comes is not confirmed$/,
  );
  await bob.send({ command: "quit" });
  assert.equal((await bob.exited()).code, 0);
}

/** The profile of a client that has run once. */
async function profile(): Promise<{ directory: string; history: string }> {
  const directory = await Deno.makeTempDir({ prefix: "parlance-disk-" });
  await using network = await oneLan(1);
  await using client = startClient("bob", {
    host: network.hosts[0],
    args: ["--data-dir", directory],
  });
  await client.waitFor({ event: "ready" });
  await client.send({ command: "quit" });
  await client.exited();
  for await (const { name, isFile } of Deno.readDir(directory)) {
    if (isFile && name === HISTORY_FILE) return { directory, history: `${directory}/${name}` };
  }
  for await (const { name } of Deno.readDir(directory)) {
    const history = `${directory}/${name}/${HISTORY_FILE}`;
    try {
      await Deno.stat(history);
      return { directory, history };
    } catch {
      // Another directory.
    }
  }
  throw new Error(`no ${HISTORY_FILE} in ${directory}`);
}

namespaceSessionTest(
  "a damaged history is told of and left as it is, and the chat goes on",
  async () => {
    const { directory, history } = await profile();
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => Deno.remove(directory, { recursive: true }));
    const bytes = await Deno.readFile(history);
    crypto.getRandomValues(bytes.subarray(100, 16_000));
    await Deno.writeFile(history, bytes);
    await talksWithout(directory, /history.*nothing was overwritten.*export/s);
    assert.deepEqual(await Deno.readFile(history), bytes);
  },
);

namespaceSessionTest(
  "a file that is no history is told of and left as it is, and the chat goes on",
  async () => {
    const { directory, history } = await profile();
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => Deno.remove(directory, { recursive: true }));
    const bytes = new TextEncoder().encode("what I must not forget\n".repeat(1000));
    await Deno.writeFile(history, bytes);
    await talksWithout(directory, /history.*history/s);
    assert.deepEqual(await Deno.readFile(history), bytes);
  },
);

namespaceSessionTest(
  "a profile that is read-only is told of and left as it is, and the chat goes on",
  async () => {
    const { directory, history } = await profile();
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => Deno.remove(directory, { recursive: true }));
    const bytes = await Deno.readFile(history);
    await talksWithout(directory, /history.*make the file and its directory writable/s, READ_ONLY);
    assert.deepEqual(await Deno.readFile(history), bytes);
  },
);

namespaceSessionTest(
  "a disk that is full at the start is told of, and the chat goes on",
  async () => {
    const { directory } = await profile();
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => Deno.remove(directory, { recursive: true }));
    await talksWithout(directory, /history.*make room/s, FULL);
  },
);

namespaceSessionTest(
  "when the history is deleted under a client, messages are shown and not confirmed, and come again when it has one",
  async () => {
    await using network = await oneLan(2);
    const [left, right] = network.hosts;
    const directory = await Deno.makeTempDir({ prefix: "parlance-disk-" });
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => Deno.remove(directory, { recursive: true }));
    await using alice = startClient("alice", { host: left });
    const start = () => startClient("bob", { host: right, args: ["--data-dir", directory] });
    {
      await using bob = start();
      await alice.waitFor({ event: "peer_up", nickname: "bob" });
      await say(alice, "bob", "hello");
      await alice.waitFor({ event: "delivered", ref: "hello" });
      await Deno.remove(`${directory}/${HISTORY_FILE}`);
      for (const text of ["into the void", "and another"]) {
        await say(alice, "bob", text);
        await bob.waitFor({ event: "message", content: text });
      }
      await bob.waitFor({ event: "peer_up", nickname: "alice" });
      await say(bob, "alice", "mine is gone");
      // What bob says comes behind anything that he has confirmed until then.
      await alice.waitFor({ event: "message", content: "mine is gone" });
      assert.deepEqual(alice.all({ event: "delivered" }).map(({ ref }) => ref), ["hello"]);
      const told = bob.all(({ event, ref }: Event) => event === "error" && ref === undefined);
      assert.equal(told.length, 1, "told once");
      assert.match(
        String(told[0].message),
        /Cannot write to the history.*deleted or moved; put it back.*but neither kept nor confirmed/,
      );
      await bob.send({ command: "quit" });
      assert.equal((await bob.exited()).code, 0);
    }
    await using bob = start();
    for (const ref of ["into the void", "and another"]) {
      await alice.waitFor({ event: "delivered", ref });
    }
    assert.deepEqual(await received(bob), ["into the void", "and another"]);
  },
);
