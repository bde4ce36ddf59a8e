import assert from "node:assert/strict";
import type { Node } from "../../lib/node.ts";
import { until } from "./driven.ts";
import { start } from "./json_fixtures.ts";

const portOf = (node: Node) => node.tcpPort;

Deno.test("every command is answered, and a reference comes back as it was", async () => {
  const { answers, world, bob, end } = await start();
  for (const ref of ["7", "", 7, -1.5, 0, undefined]) {
    const back = ref === undefined ? {} : { ref };
    assert.deepEqual(await answers({ command: "send", to: "bob", content: "hi", ref }), [
      { event: "sent", to: "bob", ...back },
    ]);
    const address = `10.0.0.2:${portOf(bob.node)}`;
    const last_seen = Math.floor(world.clock.now() / 1000);
    assert.deepEqual(await answers({ command: "peers", ref }), [{
      event: "peers",
      peers: [{
        nickname: "bob",
        label: "bob",
        address,
        via: "lan",
        encrypted: false,
        trust: "plain",
        last_seen,
        addresses: [{ address, via: "lan", last_seen }],
      }],
      ...back,
    }]);
    const [failed, ...more] = await answers({ command: "send", to: "bbo", content: "hi", ref });
    assert.deepEqual(more, []);
    const { message } = failed;
    assert.deepEqual(failed, { event: "error", message, code: "unknown_peer", ...back });
    assert.match(
      String(failed.message),
      /Cannot reach "bbo": no such peer; did you mean "bob"\?/,
    );
  }
  assert.equal(bob.heard.length, 6);
  await end();
});

Deno.test("slash commands are taken as people type them", async () => {
  const { answers, bob, end } = await start();
  assert.deepEqual(await answers("/send bob hello there"), [{ event: "sent", to: "bob" }]);
  assert.deepEqual(bob.heard, ["alice: hello there"]);
  assert.equal((await answers("/peers"))[0].event, "peers");
  const [help] = await answers("/h");
  assert.deepEqual(Object.keys(help), ["event", "text"]);
  assert.match(String(help.text), /\/send/);
  assert.deepEqual(await answers("  "), []);
  assert.match(String((await answers("/nonsense"))[0].message), /Unknown command \/nonsense/);
  assert.match(String((await answers("/send bob"))[0].message), /Usage: \/send/);
  await end();
});

const MISTAKES: [line: string, message: RegExp, ref?: string | number][] = [
  ["hello", /not a JSON object; write one JSON object a line/],
  ["[]", /not a JSON object/],
  ["{", /not a JSON object/],
  ["{]}", /not JSON/],
  ["{}", /"command" must be "send", "history", .*"unblock", "quit"$/],
  ['{"command":7,"ref":1}', /"command" must be/, 1],
  ['{"command":"sned","ref":1}', /Cannot run the command "sned".*did you mean "send"\?/, 1],
  ['{"command":"help"}', /Cannot run the command "help"/],
  ['{"command":"mistake","message":"x"}', /Cannot run the command "mistake"/],
  ['{"command":"send","to":"bob","ref":"r"}', /"content" must be a string/, "r"],
  ['{"command":"send","content":"x","ref":"r"}', /"to" must be a string/, "r"],
  ['{"command":"send","to":["bob"],"content":"x"}', /"to" must be a string/],
  ['{"command":"verify","ref":"r"}', /Cannot run verify: "peer" must be a string/, "r"],
  ['{"command":"block","peer":["bob"]}', /Cannot run block: "peer" must be a string/],
  ['{"command":"history","peer":7,"ref":"r"}', /history: "peer" must be a string/, "r"],
  ['{"command":"history","count":0}', /history: "count" must be a whole number of 1 to 1000$/],
  ['{"command":"history","count":1001}', /"count" must be a whole number of 1 to 1000$/],
  ['{"command":"history","count":1.5}', /"count" must be a whole number/],
  ['{"command":"history","count":"5"}', /"count" must be a whole number/],
  ['{"command":"search","ref":1}', /Cannot search: "query" must be a string/, 1],
  ['{"command":"search","query":"x","count":201}', /search: .* of 1 to 200$/],
  ['{"command":"search","query":"-","ref":2}', /Cannot search for "-": it has no word/, 2],
  ['{"command":"cancel","ref":3}', /Cannot cancel: "message_id" must be a string/, 3],
  ['{"command":"cancel","message_id":"abcd1234"}', /no message that waits has an id/],
  ['{"command":"clear_history","peer":[]}', /clear_history: "peer" must be a string/],
  ["/history clear", /^This deletes everything for good; type \/history clear yes/],
  ['{"command":"peers","ref":{}}', /"ref" must be a string or a number/],
  ['{"command":"peers","ref":null}', /"ref" must be a string or a number/],
  ['{"command":"peers","ref":12345678901234567890}', /"ref" must be a string or a number/],
  ['{"command":"peers","ref":1e999}', /"ref" must be a string or a number/],
];

Deno.test("a mistake is answered with an error, and the next command with its answer", async () => {
  const { answers, end } = await start();
  for (const [line, message, ref] of MISTAKES) {
    const [answer, ...more] = await answers(line);
    assert.deepEqual(more, [], line);
    assert.equal(answer.event, "error", line);
    assert.match(String(answer.message), message, line);
    assert.equal(answer.ref, ref, line);
  }
  const [refused] = await answers(
    `{"command":"send","to":"bob","content":"${"x".repeat(1 << 20)}"}`,
  );
  assert.match(String(refused.message), /line above the limit of 1048576 bytes/);
  const [tooLong] = await answers({
    command: "send",
    to: "bob",
    content: "x".repeat(65_537),
    ref: 1,
  });
  assert.match(String(tooLong.message), /a message has at most 65536/);
  assert.equal(tooLong.ref, 1);
  assert.deepEqual(await answers({ command: "send", to: "bob", content: "x" }), [
    { event: "sent", to: "bob" },
  ]);
  await end();
});

Deno.test("answers to one peer come in the order of the commands", async () => {
  const { keyboard, events, bob, end } = await start();
  const commands = Array.from({ length: 3000 }, (_, ref) => (
    `${JSON.stringify({ command: "send", to: "bob", content: String(ref), ref })}\n`
  ));
  keyboard.type(commands.join(""));
  await until(() => events("sent").length === 3000, "all answers");
  assert.deepEqual(events("sent").map(({ ref }) => ref), commands.map((_, index) => index));
  await until(() => bob.heard.length === 3000, "all messages");
  assert.deepEqual(bob.heard, commands.map((_, index) => `alice: ${index}`));
  await end();
});

Deno.test("unknown members of a command are no mistake", async () => {
  const { answers, end } = await start();
  assert.deepEqual(
    await answers({ command: "send", to: "bob", content: "x", future: true, __proto__: null }),
    [{ event: "sent", to: "bob" }],
  );
  await end();
});
