import assert from "node:assert/strict";
import { silentLog } from "../../lib/base/log.ts";
import type { OneShotCommand } from "../../lib/control/run.ts";
import { KnownPeers } from "../../lib/identity/known_peers.ts";
import { Profile } from "../../lib/identity/profile.ts";
import type { Store } from "../../lib/store/store.ts";
import { describeMessage } from "../../lib/ui/json_history.ts";
import { bob, carol, StoreFixture } from "../store/fixtures.ts";
import type { FakeClock } from "../support/fake_clock.ts";
import { until } from "../ui/driven.ts";
import { run as start, say, sending } from "./commands_fixtures.ts";

const HISTORY = { name: "history", json: false } as const;
const EVIL = "\x1b]52;c;aGk=\x07\r\n[00:00:00] root: x\u202e\x9b2J";

/** A profile with what was said, which nobody uses. */
async function keeping(fill: (fixture: StoreFixture, store: Store) => Promise<unknown>) {
  const fixture = await StoreFixture.make();
  await Deno.chmod(fixture.directory, 0o700);
  await using store = await fixture.open();
  await fill(fixture, store);
  return fixture;
}

/** A talk with bob and carol. */
async function talk(fixture: StoreFixture, store: Store): Promise<void> {
  await store.inbox.receive(fixture.incoming("where is the bridge?"));
  await store.outbox.enqueue(fixture.outgoing("over the river"));
  await store.inbox.receive(fixture.incoming("hello", { contact: carol }));
}

function run(
  command: OneShotCommand,
  { directory, clock }: { directory: string; clock: FakeClock },
) {
  return start(command, clock, { directory });
}

/** What a command prints, as lines; it must succeed. */
async function printed(
  command: OneShotCommand,
  place: { directory: string; clock: FakeClock },
): Promise<string[]> {
  const { running, paper, warnings } = run(command, place);
  assert.equal(await running, 0);
  assert.deepEqual(warnings, []);
  return paper.lines;
}

const withoutTime = (lines: readonly string[]) =>
  lines.map((line) => line.replace(/\[\d{4}-\d\d-\d\d \d\d:\d\d\]/, "[time]"));

Deno.test("history shows what is stored without a client, as the terminal does", async () => {
  await using fixture = await keeping(talk);
  assert.deepEqual(withoutTime(await printed(HISTORY, fixture)), [
    "[time] bob: where is the bridge?",
    "[time] you → bob …: over the river",
    "[time] carol: hello",
  ]);
  assert.deepEqual(withoutTime(await printed({ ...HISTORY, count: 1 }, fixture)), [
    "[time] carol: hello",
  ]);
  for (const peer of ["bob", bob.id!]) {
    assert.deepEqual(withoutTime(await printed({ ...HISTORY, peer, count: 1 }, fixture)), [
      "[time] you → bob …: over the river",
    ]);
  }
});

Deno.test("history with --json prints the objects of the JSON interface, one a line", async () => {
  await using fixture = await keeping(talk);
  const lines = await printed({ ...HISTORY, json: true }, fixture);
  await using store = await fixture.open();
  const expected = store.history({ count: 3 }).map(describeMessage);
  assert.deepEqual(lines.map((line) => JSON.parse(line)), JSON.parse(JSON.stringify(expected)));
  assert.equal(expected.length, 3);
});

Deno.test("history and search of a nickname are those of whom the user knows by it", async () => {
  const other = { ...carol, nickname: "bob" };
  await using fixture = await keeping(async (fixture, store) => {
    await store.inbox.receive(fixture.incoming("the real one"));
    await store.inbox.receive(fixture.incoming("somebody else", { contact: other }));
  });
  {
    const { directory, clock } = fixture;
    await using known = await KnownPeers.open({ directory, clock, log: silentLog });
    known.remember("bob", bob.id!);
  }
  assert.deepEqual(withoutTime(await printed({ ...HISTORY, peer: "bob" }, fixture)), [
    "[time] bob: the real one",
  ]);
  const search = { name: "search", query: "from:bob", json: true } as const;
  const found = (await printed(search, fixture)).map((line) => JSON.parse(line).content);
  assert.deepEqual(found, ["the real one"], "as through a client");
});

Deno.test("search finds messages without a client, with what was said before and after", async () => {
  await using fixture = await keeping(talk);
  const search = { name: "search", query: "riv*", json: false } as const;
  assert.deepEqual(withoutTime(await printed(search, fixture)), [
    "1 message found, the newest first:",
    "",
    "  [time] bob: where is the bridge?",
    "[time] you → bob …: over the river",
  ]);
  const [line, ...none] = await printed({ ...search, json: true }, fixture);
  assert.deepEqual(none, []);
  const { content, state, before, after } = JSON.parse(line);
  assert.deepEqual([content, state, before.content, after], [
    "over the river",
    "pending",
    "where is the bridge?",
    undefined,
  ]);
  assert.deepEqual(await printed({ ...search, query: "nothing" }, fixture), ["Nothing was found"]);
  assert.deepEqual(await printed({ ...search, query: "nothing", json: true }, fixture), []);
});

Deno.test("what cannot be shown or searched is an error in a shell's words", async () => {
  await using fixture = await keeping(talk);
  await assert.rejects(run({ ...HISTORY, peer: "dave" }, fixture).running, {
    name: "ParlanceError",
    message: 'Cannot show a history with "dave": there is none; `parlance history` without a ' +
      "nickname shows all",
  });
  await assert.rejects(run({ name: "search", query: "from:dave x", json: true }, fixture).running, {
    name: "ParlanceError",
    message: /the history has nobody of that name/,
  });
});

Deno.test("without a profile there is no history, and none is made", async () => {
  await using fixture = await StoreFixture.make();
  const place = { directory: `${fixture.directory}/none`, clock: fixture.clock };
  assert.deepEqual(await printed(HISTORY, place), ["There is no history yet"]);
  assert.deepEqual(await printed({ ...HISTORY, json: true }, place), []);
  for (const name of ["history-check", "history-export"] as const) {
    await assert.rejects(run({ name, format: "text" }, place).running, {
      message: /^Cannot read the history in .*history\.sqlite: there is none; choose another/,
    });
  }
  assert.deepEqual([...Deno.readDirSync(fixture.directory)], []);
});

Deno.test("a history that cannot be opened is an error, and stays as it is", async () => {
  await using fixture = await StoreFixture.make();
  await Deno.chmod(fixture.directory, 0o700);
  await Deno.writeTextFile(fixture.path, "no database ".repeat(100));
  for (
    const command of [
      HISTORY,
      { name: "search", query: "x", json: true },
      { name: "history-check" },
      { name: "history-export", format: "jsonl" },
    ] as const
  ) {
    const isSalvage = command.name.startsWith("history-");
    await assert.rejects(run(command, fixture).running, {
      name: /Error$/,
      message: isSalvage
        ? /history in .*history\.sqlite: .*no message is left in it: restore it from a backup/
        : /history in .*history\.sqlite: .*nothing was overwritten/,
    });
  }
  assert.equal(await Deno.readTextFile(fixture.path), "no database ".repeat(100));
});

/** A command that has asked a scripted client, which has the profile until it ends. */
async function asking(command: OneShotCommand) {
  const fixture = await keeping(talk);
  const lock = await Profile.open({ directory: fixture.directory, log: silentLog });
  const started = await sending(command, { directory: fixture.directory });
  const { client } = started;
  await until(() => client.events.length === 2, "the question");
  return {
    ...started,
    /** The client ends, as when it is killed. */
    async leave() {
      await lock[Symbol.asyncDispose]();
      client.stream.close();
    },
    async [Symbol.asyncDispose]() {
      await lock[Symbol.asyncDispose]();
      await fixture[Symbol.asyncDispose]();
    },
  };
}

const LINE = {
  peer: "alice",
  id: bob.id,
  direction: "in",
  content: `hi${EVIL}`,
  timestamp: 0,
  stored_at: 0,
  encrypted: true,
  trust: "known",
};

Deno.test("history and search go through the client that runs on the profile", async () => {
  for (const json of [false, true]) {
    await using asked = await asking({ name: "history", peer: "bob", count: 7, json });
    const { client, running, paper } = asked;
    assert.deepEqual(client.events[1], { command: "history", peer: "bob", count: 7, ref: 1 });
    await client.say(
      say({ event: "ready", nickname: "alice", ref: undefined }) +
        say({ event: "history", to: undefined, messages: [LINE] }),
    );
    assert.equal(await running, 0);
    if (json) {
      assert.equal(paper.text, `${JSON.stringify(LINE)}\n`);
      continue;
    }
    const [first] = withoutTime(paper.lines);
    const label = `alice~${bob.id!.slice(0, 7)}`;
    assert.equal(first, `[time] ${label} [not you]: hi\\u{1b}]52;c;aGk=\\u{7}\\u{d}`);
    assert.doesNotMatch(paper.text, /[^\P{Cc}\n]|\p{Bidi_Control}|^\[00:/mu);
  }
  await using asked = await asking({ name: "search", query: "a b", json: true });
  const { client, running, paper } = asked;
  assert.deepEqual(client.events[1], { command: "search", query: "a b", count: 20, ref: 1 });
  const hit = { ...LINE, before: LINE };
  await client.say(say({ event: "search", to: undefined, messages: [hit] }));
  assert.equal(await running, 0);
  assert.equal(paper.text, `${JSON.stringify(hit)}\n`);
});

Deno.test("what the client cannot read is told, with status 1", async () => {
  for (const json of [false, true]) {
    await using asked = await asking({ ...HISTORY, json });
    const { client, running, paper, warnings } = asked;
    const problem = "Cannot open the history in /peers/x and /history.sqlite\x1b";
    await client.say(say({ event: "history", to: undefined, messages: [], problem }));
    assert.equal(await running, 1);
    assert.equal(paper.text, json ? "" : "There is no history yet\n");
    assert.deepEqual(warnings, ["Cannot open the history in /peers/x and /history.sqlite\\u{1b}"]);
  }
  await using asked = await asking(HISTORY);
  const message = "There is none; /history shows all. Cannot open it in /history/x";
  const failed = assert.rejects(asked.running, {
    message: "There is none; `parlance history` shows all. Cannot open it in /history/x",
  });
  await asked.client.say(say({ event: "error", message }));
  await failed;
});

Deno.test("what the client says it cannot do is the error", async () => {
  await using asked = await asking(HISTORY);
  const failed = assert.rejects(asked.running, {
    name: "ParlanceError",
    message: "There is none\\u{1b}; `parlance history` shows all",
  });
  await asked.client.say(say({ event: "error", message: "There is none\x1b; /history shows all" }));
  await failed;
});

Deno.test("history is read without the client when that ends before it has answered", async () => {
  await using asked = await asking({ ...HISTORY, count: 1 });
  await asked.leave();
  // A child of another test has the lock, too, until it has become its program.
  for (let turn = 0; turn < 100 && asked.run.state === "waiting"; turn++) {
    await asked.clock.advance(50);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.equal(await asked.running, 0);
  assert.deepEqual(withoutTime(asked.paper.lines), ["[time] carol: hello"]);
});

Deno.test("a client that does not answer is given up", async () => {
  await using asked = await asking(HISTORY);
  const failed = assert.rejects(asked.running, { message: /not answered within 60 s; try again$/ });
  await asked.clock.advance(60_000);
  await failed;
});

Deno.test("an interrupt ends a command that waits for the client", async () => {
  await using asked = await asking(HISTORY);
  asked.stop.abort();
  assert.equal(await asked.running, 130);
});
