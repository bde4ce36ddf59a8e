/**
 * Checks that imports within the project flow downwards only, that no files import each other in
 * a circle, and that `lib/wire/` stays free of the platform, of time and of chance. Prints each
 * violation as `file -> file: why` and exits with status 1 if there is any.
 *
 * Type imports count like all others, as do dynamic imports with a literal specifier.
 *
 * @module
 */
import { fileURLToPath, pathToFileURL } from "node:url";

/** Files of the project and what each imports of it, as paths from the project's root. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/** A broken rule. */
export interface Violation {
  readonly file: string;
  /** The imported file, or what was found in the file's text. */
  readonly target: string;
  readonly why: string;
}

const ENTRIES = ["main.ts", "bootstrap_server.ts"];

/** From the top; each layer may import itself and whatever stands behind it. */
const ORDER = [
  "entry",
  "client",
  "control",
  "ui",
  "node",
  "chat",
  "store",
  "peer",
  "discovery",
  "identity",
  "transport",
  "wire",
  "logging",
  "errors",
  "base",
];

/** Layers beside the order: what they may import besides themselves. Only programs use them. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  config: ["wire", "logging", "errors", "base"],
  server: ["wire", "logging", "errors", "base"],
};

/** Layers in the order that may import only some of what stands behind them. */
const NARROWED: Readonly<Record<string, readonly string[]>> = {
  identity: ["wire", "errors", "base"],
};

/** The files of `lib/` itself, and their layers. */
const SINGLE: Readonly<Record<string, string>> = {
  client: "client",
  identity_command: "client",
  passphrase: "client",
  node: "node",
  node_options: "node",
  node_discovery: "node",
  node_events: "node",
  node_incoming: "node",
  node_messages: "node",
  node_sessions: "node",
  open_history: "client",
  open_profile: "client",
  errors: "errors",
  logging: "logging",
};

/** What a file of `lib/wire/` must not hold: its functions get everything as arguments. */
const IMPURE = [
  /\bDeno\./,
  /\bDate\.now\b/,
  /\bnew Date\(\)/,
  /\bperformance\./,
  /\bMath\.random\b/,
  /\bcrypto\.getRandomValues\b/,
  /\bset(Timeout|Interval|Immediate)\b/,
  /\bfetch\(/,
  /\bconsole\./,
  /\bprocess\./,
];

/** The layer of a file, or `undefined` where it has no place in the design. */
export function layerOf(file: string): string | undefined {
  if (ENTRIES.includes(file)) return "entry";
  const [, single, folder] = /^lib\/(?:(\w+)\.ts$|(\w+)\/)/.exec(file) ?? [];
  if (single !== undefined) return Object.hasOwn(SINGLE, single) ? SINGLE[single] : undefined;
  if (folder === "entry" || Object.hasOwn(SINGLE, folder)) return undefined;
  return ORDER.includes(folder) || Object.hasOwn(BESIDE, folder) ? folder : undefined;
}

function mayImport(from: string, to: string): boolean {
  if (from === to) return true;
  if (Object.hasOwn(BESIDE, from)) return BESIDE[from].includes(to);
  if (Object.hasOwn(NARROWED, from)) return NARROWED[from].includes(to);
  if (Object.hasOwn(BESIDE, to)) return from === "entry" || from === "client";
  return ORDER.indexOf(from) < ORDER.indexOf(to);
}

/** Every import that does not flow downwards, and every file that belongs to no layer. */
export function layerViolations(graph: ImportGraph): Violation[] {
  const violations: Violation[] = [];
  for (const [file, targets] of graph) {
    const from = layerOf(file);
    for (const target of targets) {
      const to = layerOf(target);
      if (from === undefined) continue;
      if (to === undefined) {
        violations.push({ file, target, why: "the imported file belongs to no layer" });
      } else if (!mayImport(from, to)) {
        violations.push({ file, target, why: `${from} must not import ${to}` });
      }
    }
    if (from === undefined && file.startsWith("lib/")) {
      violations.push({ file, target: file, why: "the file belongs to no layer" });
    }
  }
  return violations;
}

/** One circle of imports for each file that closes one, found depth first. */
export function cycleViolations(graph: ImportGraph): Violation[] {
  const violations: Violation[] = [];
  const path: string[] = [];
  const done = new Set<string>();
  const visit = (file: string) => {
    if (done.has(file)) return;
    path.push(file);
    for (const target of graph.get(file) ?? []) {
      const at = path.indexOf(target);
      if (at < 0) visit(target);
      else {
        const circle = [...path.slice(at), target].join(" -> ");
        violations.push({ file, target, why: `the imports form a circle: ${circle}` });
      }
    }
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return violations;
}

/** Every use of the platform, of time or of chance in a file of `lib/wire/`. */
export function purityViolations(texts: ReadonlyMap<string, string>): Violation[] {
  const violations: Violation[] = [];
  for (const [file, text] of texts) {
    if (layerOf(file) !== "wire") continue;
    for (const pattern of IMPURE) {
      const found = pattern.exec(text);
      if (found === null) continue;
      const line = text.slice(0, found.index).split("\n").length;
      const target = `${found[0]} (line ${line})`;
      violations.push({ file, target, why: "wire is pure: take it as an argument" });
    }
  }
  return violations;
}

/** What `deno info --json` prints, as far as it matters here. */
interface Info {
  modules: {
    specifier: string;
    dependencies?: { code?: { specifier?: string }; type?: { specifier?: string } }[];
  }[];
}

/**
 * All files of `lib/` and the entry files below `root` (an absolute path), with their imports of
 * code: JSON is data, and has no layer.
 */
export async function readGraph(root: string): Promise<ImportGraph> {
  const base = pathToFileURL(root.replace(/\/?$/, "/")).href;
  const local = (url: string | undefined) =>
    url?.startsWith(base) ? decodeURIComponent(url.slice(base.length)) : undefined;
  const graph = new Map<string, string[]>();
  // The entry files reach nearly everything, so few files are left to ask about one by one.
  for (const file of await projectFiles(root)) {
    if (graph.has(file)) continue;
    for (const { specifier, dependencies = [] } of (await info(root, file)).modules) {
      const name = local(specifier);
      if (name === undefined) continue;
      const targets = dependencies.flatMap(({ code, type }) => [code?.specifier, type?.specifier])
        .map(local).filter((target) => target !== undefined)
        .filter((target) => !target.endsWith(".json"));
      graph.set(name, [...new Set(targets)]);
    }
  }
  return graph;
}

async function info(root: string, file: string): Promise<Info> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-lock", file],
    cwd: root,
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot read the imports of ${file}: ${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout));
}

async function projectFiles(root: string): Promise<string[]> {
  const files: string[] = [];
  const walk = async (folder: string) => {
    for await (const entry of Deno.readDir(`${root}/${folder}`)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) await walk(path);
      else if (/\.[cm]?[jt]sx?$/.test(entry.name)) files.push(path);
    }
  };
  await walk("lib");
  const entries: string[] = [];
  for await (const { name } of Deno.readDir(root)) if (ENTRIES.includes(name)) entries.push(name);
  return [...entries.sort(), ...files.sort()];
}

/** Checks the project below `root`, an absolute path. */
export async function checkImports(root: string): Promise<Violation[]> {
  const graph = await readGraph(root);
  const texts = new Map<string, string>();
  for (const file of graph.keys()) {
    if (layerOf(file) === "wire") texts.set(file, await Deno.readTextFile(`${root}/${file}`));
  }
  return [...layerViolations(graph), ...cycleViolations(graph), ...purityViolations(texts)];
}

if (import.meta.main) {
  const violations = await checkImports(fileURLToPath(new URL("..", import.meta.url)));
  for (const { file, target, why } of violations) console.error(`${file} -> ${target}: ${why}`);
  if (violations.length > 0) Deno.exit(1);
}
