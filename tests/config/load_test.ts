import assert from "node:assert/strict";
import { DEFAULT_CONFIGURATION } from "../../lib/config/configuration.ts";
import { loadConfiguration, type LoadOptions, MAX_FILE_BYTES } from "../../lib/config/load.ts";
import { readBounded } from "../../lib/config/read_bounded.ts";
import { InvalidInputError, LimitError } from "../../lib/errors.ts";

const encoder = new TextEncoder();

/** Loads from files in memory, and notes the order in which they were looked for. */
async function load(
  files: Readonly<Record<string, string | Uint8Array | Error>>,
  { env = {}, ...options }: Partial<Omit<LoadOptions, "env">> & { env?: Record<string, string> },
) {
  const tried: string[] = [];
  const loaded = await loadConfiguration({
    cwd: "/home/u/here",
    windows: false,
    ...options,
    env: (name) => env[name],
    readFile(path) {
      tried.push(path);
      const content = files[path] ?? new Deno.errors.NotFound(path);
      if (content instanceof Error) return Promise.reject(content);
      return Promise.resolve(typeof content === "string" ? encoder.encode(content) : content);
    },
  });
  return { ...loaded, tried, nickname: loaded.configuration.peer.nickname };
}

const named = (name: string) => `peer.nickname = "${name}"`;
const refusal = (message: string | RegExp) => ({ name: "InvalidInputError", message });

Deno.test("the file that the user names is the only one looked for", async () => {
  const files = { "/home/u/here/x.toml": named("x"), "/home/u/here/parlance.toml": named("here") };
  assert.equal((await load(files, { path: "x.toml" })).nickname, "x");
  const { tried, path } = await load({ "/etc/y": "" }, { path: "/etc/y" });
  assert.deepEqual(tried, ["/etc/y"]);
  assert.equal(path, "/etc/y");
});

Deno.test("a named file that is not there is an error that says so", async () => {
  await assert.rejects(
    load({ "/home/u/here/parlance.toml": "" }, { path: "gone.toml" }),
    refusal("Cannot load gone.toml: there is no such file; --generate-config FILE writes one"),
  );
});

Deno.test("the working directory goes before the user's configuration directory", async () => {
  const env = { XDG_CONFIG_HOME: "/xdg", HOME: "/home/a" };
  const xdg = "/xdg/parlance/parlance.toml";
  const here = "/home/u/here/parlance.toml";
  assert.equal((await load({ [here]: named("h"), [xdg]: named("x") }, { env })).nickname, "h");
  const second = await load({ [xdg]: named("x") }, { env });
  assert.equal(second.nickname, "x");
  assert.deepEqual(second.tried, [here, xdg]);
  assert.equal(second.path, xdg);
});

Deno.test("without any file the defaults hold", async () => {
  const { configuration, path, tried } = await load({}, { env: { HOME: "/home/a" } });
  assert.deepEqual(configuration, DEFAULT_CONFIGURATION);
  assert.equal(path, undefined);
  assert.deepEqual(tried, [
    "/home/u/here/parlance.toml",
    "/home/a/.config/parlance/parlance.toml",
  ]);
});

Deno.test("the user's configuration directory is found as the system has it", async () => {
  const last = async (env: Record<string, string>, windows = false) =>
    (await load({}, { env, windows, cwd: windows ? "C:\\here" : "/here" })).tried;
  const here = "/here/parlance.toml";
  assert.deepEqual(await last({}), [here]);
  assert.deepEqual(await last({ HOME: "relative" }), [here]);
  const fallback = [here, "/h/.config/parlance/parlance.toml"];
  assert.deepEqual(await last({ XDG_CONFIG_HOME: "relative/x", HOME: "/h" }), fallback);
  assert.deepEqual(await last({ XDG_CONFIG_HOME: "", HOME: "/h" }), fallback);
  assert.deepEqual(await last({ APPDATA: "C:\\Users\\a\\Roaming", HOME: "/h" }, true), [
    "C:\\here\\parlance.toml",
    "C:\\Users\\a\\Roaming\\parlance\\parlance.toml",
  ]);
  assert.deepEqual(await last({ HOME: "/h" }, true), ["C:\\here\\parlance.toml"]);
  for (const path of ["D:\\p.toml", "\\\\host\\share\\p.toml", "d:/p.toml"]) {
    assert.deepEqual((await load({ [path]: "" }, { path, windows: true })).tried, [path]);
  }
});

Deno.test("a file that is there and cannot be read is an error, named or not", async () => {
  const here = "/home/u/here/parlance.toml";
  for (
    const [error, reason] of [
      [new Deno.errors.IsADirectory(), "it is a directory; name a file"],
      [new Deno.errors.PermissionDenied(), "no permission to read it"],
      [new LimitError("x"), "it is larger than 1048576 bytes, so it is no configuration file"],
      [new Error("Input/output error"), "Input/output error"],
    ] as const
  ) {
    const message = `Cannot load parlance.toml: ${reason}`;
    await assert.rejects(load({ [here]: error }, {}), refusal(message));
    await assert.rejects(load({ [here]: error }, { path: "parlance.toml" }), refusal(message));
  }
});

Deno.test("a file that is not UTF-8 is refused, a byte order mark is not", async () => {
  const here = "/home/u/here/parlance.toml";
  const utf16 = new Uint8Array([0xff, 0xfe, 0x5b, 0]);
  for (const bytes of [utf16, new Uint8Array([0x23, 0xc3])]) {
    await assert.rejects(
      load({ [here]: bytes }, {}),
      refusal("Cannot load parlance.toml: it is not UTF-8; save it as UTF-8"),
    );
  }
  assert.equal((await load({ [here]: `\ufeff${named("a")}` }, {})).nickname, "a");
  await assert.rejects(
    load({ [here]: "\ufeffmode = 1" }, {}),
    refusal(/^Cannot load parlance\.toml:1:1: unknown key mode = 1; /),
  );
});

Deno.test("an error calls the file what the user calls it", async () => {
  const bad = "[network]\nmode = 1";
  const files = { "/home/u/here/a/b.toml": bad, "/x/parlance/parlance.toml": bad };
  await assert.rejects(load(files, { path: "a/b.toml" }), refusal(/^Cannot load a\/b\.toml:2:8: /));
  await assert.rejects(
    load(files, { env: { XDG_CONFIG_HOME: "/x" } }),
    refusal(/^Cannot load \/x\/parlance\/parlance\.toml:2:8: /),
  );
});

Deno.test("files on disk are read up to the limit and refused above it", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/parlance.toml`;
    for (const size of [0, 1, 4095, 4096, 4097, 100_000]) {
      const content = crypto.getRandomValues(new Uint8Array(Math.min(size, 65536)));
      await Deno.writeFile(path, content);
      assert.deepEqual(await readBounded(path, content.length), content);
      if (content.length > 0) {
        await assert.rejects(readBounded(path, content.length - 1), LimitError);
      }
    }
    await Deno.writeFile(path, encoder.encode("#".repeat(MAX_FILE_BYTES)));
    const options = { cwd: directory, env: () => undefined };
    assert.equal((await loadConfiguration(options)).path, path);
    await Deno.writeTextFile(path, "#", { append: true });
    await assert.rejects(loadConfiguration(options), refusal(/larger than 1048576 bytes/));
    await assert.rejects(
      loadConfiguration({ ...options, path: directory }),
      refusal(`Cannot load ${directory}: it is a directory; name a file`),
    );
    // Below something that is no directory there is no file, and that is no error.
    const env = (name: string) => name === "XDG_CONFIG_HOME" ? path : undefined;
    const elsewhere = { cwd: `${directory}/nowhere`, env };
    assert.equal((await loadConfiguration(elsewhere)).path, undefined);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test({
  name: "an endless device is refused",
  ignore: Deno.build.os === "windows",
  async fn() {
    await assert.rejects(
      loadConfiguration({ path: "/dev/zero", cwd: "/", env: () => undefined }),
      InvalidInputError,
    );
  },
});

Deno.test("without a configuration file no package is loaded", async () => {
  const entry = new URL("../../lib/config/load.ts", import.meta.url);
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry.href],
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  assert.ok(success);
  interface Module {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly isDynamic?: boolean;
      readonly code?: { readonly specifier: string };
    }[];
  }
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: Module[] };
  const loaded = new Set([entry.href]);
  for (const specifier of loaded) {
    const module = modules.find((module) => module.specifier === specifier);
    for (const { isDynamic, code } of module?.dependencies ?? []) {
      if (!isDynamic && code !== undefined) loaded.add(code.specifier);
    }
  }
  assert.ok(loaded.size > 3, "the graph was read");
  assert.deepEqual([...loaded].filter((specifier) => specifier.startsWith("npm:")), []);
});
