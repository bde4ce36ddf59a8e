import assert from "node:assert/strict";
import type { Messages } from "../../lib/chat/messages.ts";
import { COMMAND_NAMES } from "../../lib/ui/commands.ts";
import { type Completable, complete } from "../../lib/ui/completion.ts";
import { peerAt } from "../peer/fixtures.ts";

/** Who is here, by labels that are nicknames, and who else the user has to do with. */
function completable(here: string[], contacts: string[] = [], waiting: string[] = []): Completable {
  const pending = () => waiting.map((id) => ({ id }));
  return {
    node: {
      nickname: "alice",
      peers: () => here.map((nickname) => peerAt([], { nickname })),
      messages: { pending } as unknown as Messages,
    },
    contacts: () => contacts,
  };
}

Deno.test("Tab completes commands, and behind those that take a peer the labels that can be shown", () => {
  const labels = ["bob", "Bobby", "bob smith", 'the "boss"', "bob\u202etxt", "zoe~aaaa"];
  const from = completable(labels);
  const completed: [line: string, hits: string[], part: string][] = [
    ["/", COMMAND_NAMES.map((name) => `${name} `), "/"],
    ["/un", ["/unblock "], "/un"],
    ["/w", ["/whoami "], "/w"],
    ["/p", ["/peers "], "/p"],
    ["/x", [], "/x"],
    ["hello", [], "hello"],
    ["/send bo", ["bob ", "Bobby "], "bo"],
    ["/send BO", ["bob ", "Bobby "], "BO"],
    ['/send "BOB S', ['"bob smith" '], '"BOB S'],
    ['/send "', ['"bob smith" ', '"the \\"boss\\"" '], '"'],
    ["/send  z", ["zoe~aaaa "], "z"],
    ["/send bob hel", [], "/send bob hel"],
    ["/history z", ["zoe~aaaa "], "z"],
    ["/history clear z", ["zoe~aaaa "], "z"],
    ["/s", ["/send ", "/search "], "/s"],
    ["/search z", [], "/search z"],
    ["/search hi FROM:z", ["zoe~aaaa "], "z"],
    ["/verify z", ["zoe~aaaa "], "z"],
    ["/trust z", ["zoe~aaaa "], "z"],
    ["/forget z", ["zoe~aaaa "], "z"],
    ["/block z", ["zoe~aaaa "], "z"],
    ["/unblock z", ["zoe~aaaa "], "z"],
    ["/whoami z", [], "/whoami z"],
  ];
  for (const [line, hits, part] of completed) assert.deepEqual(complete(line, from), [hits, part]);
});

Deno.test("Tab completes who is away behind those who are here", () => {
  const away = [
    "zed",
    "bea",
    "alice",
    "bob",
    "bob",
    "BERT",
    "b\u202e",
    "be~afgh",
    "B2345AB",
    "be c",
  ];
  const from = completable(["bo", "bob"], away);
  for (
    const command of ["send", "history", "history clear", "verify", "trust", "forget", "block"]
  ) {
    assert.deepEqual(complete(`/${command} b`, from), [["bo ", "bob ", "BERT ", "bea "], "b"]);
  }
  assert.deepEqual(complete('/send "b', from), [['"be c" '], '"b']);
  assert.deepEqual(complete("/send a", from), [[], "a"]);
  const many = Array.from({ length: 99 }, (_, number) => `x${number}`);
  assert.equal(complete("/send x", completable(["xx"], many))[0].length, 51);
});

Deno.test("Tab completes whose messages are searched, in the quotes of a search", () => {
  const from = completable(["bob", "mel"], ["bea", "be c", "Me", 'be "c"']);
  assert.deepEqual(complete("/search from:b", from), [["bob ", "bea "], "b"]);
  assert.deepEqual(complete('/search "a b" from:m', from), [["me ", "mel "], "m"]);
  assert.deepEqual(complete('/search x From:"be', from), [['"be c" '], '"be']);
  assert.deepEqual(complete("/search from:bob b", from), [[], "/search from:bob b"]);
});

Deno.test("Tab completes which message is taken back", () => {
  const from = completable(["bob"], [], ["0190a3e4-0000-7000-8000-00001234abcd"]);
  assert.deepEqual(complete("/outbox ", from), [["cancel "], ""]);
  assert.deepEqual(complete("/outbox cancel ", from), [["1234abcd "], ""]);
  assert.deepEqual(complete("/outbox cancel 12", from), [["1234abcd "], "12"]);
  assert.deepEqual(complete("/outbox cancel b", from), [[], "b"]);
});
