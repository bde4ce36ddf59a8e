import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  checkImports,
  cycleViolations,
  layerOf,
  layerViolations,
  purityViolations,
  readGraph,
  type Violation,
} from "../tools/check_imports.ts";

const shown = ({ file, target, why }: Violation) => `${file} -> ${target}: ${why}`;
const graph = (imports: Record<string, string[]>) => new Map(Object.entries(imports));
const layers = (file: string, target: string) =>
  layerViolations(graph({ [file]: [target] })).map(({ why }) => why);

Deno.test("the project's imports flow downwards, without circles, and its formats are pure", async () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  assert.deepEqual((await checkImports(root)).map(shown), []);
});

Deno.test("every file of the library is looked at", async () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const files = await readGraph(root);
  for (const file of ["lib/wire/lines.ts", "lib/base/clock.ts", "lib/errors.ts"]) {
    assert.ok(files.has(file), file);
  }
  assert.ok(files.get("lib/wire/message.ts")!.includes("lib/wire/nickname.ts"));
});

/** One file of each layer of the client, from the top. */
const DOWN = [
  "main.ts",
  "lib/ui/terminal.ts",
  "lib/node.ts",
  "lib/chat/outbox.ts",
  "lib/store/database.ts",
  "lib/peer/session.ts",
  "lib/discovery/lan.ts",
  "lib/identity/profile.ts",
  "lib/transport/tcp.ts",
  "lib/wire/lines.ts",
  "lib/logging.ts",
  "lib/errors.ts",
  "lib/base/clock.ts",
];

Deno.test("a layer may import what is below it and nothing above it", () => {
  for (const [at, upper] of DOWN.entries()) {
    for (const lower of DOWN.slice(at + 1)) {
      const barred = layerOf(upper) === "identity" &&
        ["transport", "logging"].includes(layerOf(lower)!);
      const refusals = barred ? [`identity must not import ${layerOf(lower)}`] : [];
      assert.deepEqual(layers(upper, lower), refusals, `${upper} -> ${lower}`);
      const why = `${layerOf(lower)} must not import ${layerOf(upper)}`;
      assert.deepEqual(layers(lower, upper), [why], `${lower} -> ${upper}`);
    }
  }
});

Deno.test("a layer may import itself", () => {
  for (const file of DOWN.filter((name) => name.split("/").length === 3)) {
    assert.deepEqual(layers(file, file.replace(/\w+\.ts$/, "deep/other.ts")), []);
  }
});

Deno.test("configuration and server may import only their few layers", () => {
  const allowed = {
    "lib/config/load.ts": [
      "lib/wire/lines.ts",
      "lib/logging.ts",
      "lib/errors.ts",
      "lib/base/clock.ts",
    ],
    "lib/server/core.ts": [
      "lib/wire/lines.ts",
      "lib/logging.ts",
      "lib/errors.ts",
      "lib/base/clock.ts",
    ],
  };
  for (const [file, below] of Object.entries(allowed)) {
    for (const target of DOWN) {
      const why = `${layerOf(file)} must not import ${layerOf(target)}`;
      assert.deepEqual(layers(file, target), below.includes(target) ? [] : [why]);
    }
  }
  assert.equal(layers("lib/config/load.ts", "lib/server/core.ts").length, 1);
  assert.equal(layers("lib/server/core.ts", "lib/config/load.ts").length, 1);
});

Deno.test("configuration and server are used by entry files only", () => {
  for (const target of ["lib/config/load.ts", "lib/server/core.ts"]) {
    for (const file of DOWN) {
      assert.equal(layers(file, target).length, file === "main.ts" ? 0 : 1, `${file} -> ${target}`);
    }
    assert.deepEqual(layers("bootstrap_server.ts", target), []);
  }
});

Deno.test("a file without a place in the design is found, and so is its import", () => {
  for (const file of ["lib/util.ts", "lib/misc/x.ts", "lib/node/x.ts", "lib/errors/x.ts"]) {
    assert.equal(layerOf(file), undefined, file);
    assert.deepEqual(layerViolations(graph({ [file]: [] })).map(shown), [
      `${file} -> ${file}: the file belongs to no layer`,
    ]);
  }
  for (const target of ["tests/support/fake_clock.ts", "tools/x.ts", "bench/x.ts", "lib/util.ts"]) {
    assert.deepEqual(layers("main.ts", target), ["the imported file belongs to no layer"]);
  }
});

Deno.test("a circle of imports is found and shown", () => {
  const circles = (imports: Record<string, string[]>) => cycleViolations(graph(imports)).map(shown);
  assert.deepEqual(circles({ a: ["b", "c"], b: ["d"], c: ["d"], d: [] }), []);
  assert.deepEqual(circles({ a: ["a"] }), ["a -> a: the imports form a circle: a -> a"]);
  assert.deepEqual(circles({ a: ["b"], b: ["c", "d"], c: ["b"], d: [] }), [
    "c -> b: the imports form a circle: b -> c -> b",
  ]);
  assert.equal(circles({ a: ["b"], b: ["a"], c: ["d"], d: ["e"], e: ["c"] }).length, 2);
});

Deno.test("platform, time and chance are found in the formats and allowed elsewhere", () => {
  const found = (file: string, text: string) =>
    purityViolations(new Map([[file, text]])).map(({ target }) => target);
  for (const use of ["Deno.", "Date.now", "performance.", "Math.random"]) {
    const text = `const a = 1;\nconst b = () => ${use} ();\n`;
    assert.deepEqual(found("lib/wire/a.ts", text), [`${use} (line 2)`]);
    assert.deepEqual(found("lib/transport/a.ts", text), []);
  }
  assert.deepEqual(found("lib/wire/a.ts", 'const Denominator = new Date(0); "Deno"'), []);
});

Deno.test("imports of types, dynamic imports and files that nothing reaches are seen", async () => {
  const root = await Deno.makeTempDir({ prefix: "imports-" });
  try {
    const files = {
      "deno.json": '{ "version": "1.0.0" }',
      "main.ts": 'import meta from "./deno.json" with { type: "json" };\n' +
        'export const run = () => [import("./lib/node.ts"), meta];\n',
      "lib/node.ts": 'import type { A } from "./ui/a.ts";\nexport type { A };\n',
      "lib/ui/a.ts": "export type A = 1;\n",
      "lib/wire/lonely.ts":
        'export type B = import("../ui/a.ts").A;\nexport const b = Date.now();\n',
    };
    for (const folder of ["ui", "wire"]) {
      await Deno.mkdir(`${root}/lib/${folder}`, { recursive: true });
    }
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${root}/${name}`, text);
    }
    assert.deepEqual((await checkImports(root)).map(shown), [
      "lib/node.ts -> lib/ui/a.ts: node must not import ui",
      "lib/wire/lonely.ts -> lib/ui/a.ts: wire must not import ui",
      "lib/wire/lonely.ts -> Date.now (line 2): wire is pure: take it as an argument",
    ]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
