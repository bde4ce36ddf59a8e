import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_FILE_BYTES } from "../../lib/config/load.ts";
import { parseConfiguration } from "../../lib/config/parse.ts";
import { InvalidInputError } from "../../lib/errors.ts";

/** Parses, and fails for every error but the one that is meant for users. */
async function survives(text: string): Promise<void> {
  try {
    await parseConfiguration(text, "p.toml");
  } catch (error) {
    assert.ok(
      error instanceof InvalidInputError,
      `${error}\n${JSON.stringify(text).slice(0, 500)}`,
    );
    assert.ok(error.message.split("\n").length <= 11);
    assert.ok(error.message.length < 11 * 500, "a bounded message");
  }
}

Deno.test("arbitrary text never causes anything but an error for the user", async () => {
  await fc.assert(fc.asyncProperty(fc.string({ unit: "binary", maxLength: 200 }), survives));
});

Deno.test("arbitrary pieces of TOML never cause anything but an error for the user", async () => {
  const piece = fc.constantFrom(
    ..."[ ] [[ ]] { } = . , # \n \r\n \" ' \"\"\" ''' \\ \\u00 \\U00110000 network mode peer port"
      .split(" "),
    ..."interfaces limits nickname __proto__ constructor 1 -0 0x 1e9 inf nan true".split(" "),
    ..."1979-05-27 07:32:00 2000-02-31 \u0000 \ufeff \u202e 😀 \ud800 [network]\n mode=1\n".split(
      " ",
    ),
    " ",
    "\t",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join("")), survives),
    { numRuns: 2000 },
  );
});

Deno.test("files as large as allowed never cause anything but an error for the user", async () => {
  const fill = (piece: string, before = "", after = "") =>
    before + piece.repeat((MAX_FILE_BYTES - before.length - after.length) / piece.length) + after;
  for (
    const text of [
      fill("[", "x = "),
      fill("{a=", "x = "),
      fill(".a", "a", "=1"),
      fill("x", 'peer.nickname = "', '"'),
      fill('"1.2.3.4",', "peer.interfaces = [", "]"),
      fill("'x',", "peer.interfaces = [", "]"),
      fill("[[a]]\n"),
      fill("# x\n", "x = 1\n"),
      fill("\n", "x = 1\n"),
      Array.from({ length: 60_000 }, (_, i) => `key${i} = ${i}`).join("\n"),
    ]
  ) await survives(text);
});
