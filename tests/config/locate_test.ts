import assert from "node:assert/strict";
import fc from "fast-check";
import { parse } from "smol-toml";
import { lineAndColumn, Places } from "../../lib/config/locate.ts";

/** A piece of TOML, and the offset of what is to be found in it. */
interface Piece {
  readonly text: string;
  readonly at: number;
}

const blank = fc.constantFrom("", " ", "\t", "  ");
/** What may stand between the elements of a list. */
const gap = fc.constantFrom("", " ", "\n", "\r\n\t", " # ], } = \" '''\n", '#"""\n \n');
const scalar = fc.constantFrom(
  "1",
  "-0.5e+3",
  "true",
  "1979-05-27 07:32:00Z",
  "07:32:00",
  '""',
  "''",
  '"a # b = [\\" {"',
  "'c:\\'",
  '"""\n"" [x] \\""""',
  "'''\n'' # '''''",
  '"😀\\U0001F600"',
);
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.array(fc.tuple(gap, tie("value"), gap), { maxLength: 3 }).map((elements) =>
      `[${elements.map((parts) => parts.join("")).join(",")}\n]`
    ),
    fc.tuple(tie("value"), tie("value")).map(([a, b]) => `{ x = ${a}, "y.z".w = ${b} }`),
  ),
}));
const lines = fc.array(
  fc.oneof(
    value.map((text) => `@ = ${text}`), // the sign becomes a key of its own, see unique()
    fc.constantFrom("", "# [target]", "[@]", "[@.'x y']", "[[@]]", "@.a.b = 1", '"@ \\"]" = 1'),
  ),
  { maxLength: 8 },
);

/** Gives every key of the filler a name of its own, so that nothing is defined twice. */
function unique(text: string): string {
  let count = 0;
  return text.replaceAll("@", () => `k${count++}`);
}

const key = (name: string) => fc.constantFrom(name, `"${name}"`, `'${name}'`);

/** Documents in which `target.key` has the value 4711, at the marked place. */
const document: fc.Arbitrary<Piece> = fc.record({
  before: lines,
  after: lines,
  section: key("target"),
  name: key("key"),
  blank,
  neighbour: value,
  form: fc.constantFrom("table", "dotted", "inline", "inline second"),
}).map(({ before, after, section, name, blank, neighbour, form }) => {
  // Dotted keys and inline tables are top-level only ahead of every header.
  const top = before.filter((line) => !line.startsWith("["));
  const opening = {
    "table": [...before, `[${blank}${section}${blank}]`, `${name}${blank}=${blank}`],
    "dotted": [...top, `${section}${blank}.${blank}${name}${blank}=${blank}`],
    "inline": [...top, `${section} = {${blank}${name}${blank}=${blank}`],
    "inline second": [...top, `${section} = { n = ${neighbour}, ${name}${blank}=${blank}`],
  }[form]!.join("\n");
  const closing = form.startsWith("inline") ? " }" : "";
  const head = unique(opening);
  const rest = ["", ...after].join("\n").replaceAll("@", "r@");
  return { text: `${head}4711${closing}${unique(rest)}`, at: head.length };
});

Deno.test("the place of a value is found in documents of every form", () => {
  fc.assert(
    fc.property(document, ({ text, at }) => {
      let parsed;
      try {
        parsed = parse(text) as { target: { key: number } };
      } catch (error) {
        return assert.fail(`The test made a bad document: ${error}\n${text}`);
      }
      assert.equal(parsed.target.key, 4711);
      assert.deepEqual(new Places(text).get(["target", "key"])?.value, [at, at + 4], text);
    }),
    { numRuns: 500 },
  );
});

Deno.test("every key has a place, and what is written there is its value", () => {
  let values = 0;
  fc.assert(
    fc.property(document, ({ text }) => {
      const places = new Places(text);
      const check = (path: string[], value: unknown) => {
        const place = places.get(path);
        assert.ok(place?.key !== undefined, `${path.join(".")} in\n${text}`);
        if (place.value === undefined) return;
        const written = text.slice(...place.value);
        assert.deepEqual({ ...parse(`v = ${written}`) }, { v: value }, text);
        values++;
      };
      for (const [key, value] of Object.entries(parse(text))) {
        check([key], value);
        if (typeof value !== "object" || Array.isArray(value) || value instanceof Date) continue;
        for (const [inner, content] of Object.entries(value)) check([key, inner], content);
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(values > 500, `${values} values`);
});

Deno.test("elements of lists have their places, and what is not there has none", () => {
  const text = "a = { b = [1, 'x'] }";
  const places = new Places(text);
  assert.deepEqual(places.get(["a", "b", 1]), { value: [14, 17] });
  assert.deepEqual(places.get(["a", "b"]), { key: 6, value: [10, 18] });
  assert.deepEqual(places.get(["a"]), { key: 0, value: [4, 20] });
  assert.equal(places.get(["b"]), undefined);
});

Deno.test("the first mention of a table is its place", () => {
  const places = new Places("[a.b]\n[a.c]\n[a]");
  assert.deepEqual(places.get(["a"]), { key: 1 });
});

Deno.test("line and column count from 1, columns in characters", () => {
  const text = "a\r\n😀b\n\nc";
  assert.deepEqual(lineAndColumn(text, 0), { line: 1, column: 1 });
  assert.deepEqual(lineAndColumn(text, 5), { line: 2, column: 2 });
  assert.deepEqual(lineAndColumn(text, text.length), { line: 4, column: 2 });
});
