/**
 * Compiles both programs into `dist/`: each is bundled first, so that it embeds only what it uses,
 * in chunks that are loaded when they are needed.
 *
 *     deno run -A tools/compile.ts          for this machine, dist/parlance and dist/parlance-server
 *     deno run -A tools/compile.ts --all    for every target, dist/<target>/…
 *
 * @module
 */

/** What `deno compile` can make programs for. */
const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

const PROGRAMS = [
  { name: "parlance", entry: "main.ts", chunk: "main.js" },
  { name: "parlance-server", entry: "bootstrap_server.ts", chunk: "bootstrap_server.js" },
];

async function deno(...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), { args }).output().then(
    ({ success, stderr }) => {
      if (!success) Deno.stderr.writeSync(stderr);
      return { success };
    },
  );
  if (!success) throw new Error(`deno ${args.join(" ")} failed`);
}

const targets = Deno.args.includes("--all") ? TARGETS : [undefined];
for (const { name, entry, chunk } of PROGRAMS) {
  const build = await Deno.makeTempDir({ prefix: "parlance-build-" });
  try {
    await deno("bundle", "--platform", "deno", "--code-splitting", "--outdir", build, entry);
    for (const target of targets) {
      const output = target === undefined ? `dist/${name}` : `dist/${target}/${name}`;
      await deno(
        "compile",
        "-A",
        "--no-check",
        // The configuration file is not beside the chunks: what it says about the runtime is here.
        "--no-config",
        "--unstable-net",
        ...target === undefined ? [] : ["--target", target],
        "--output",
        output,
        `${build}/${chunk}`,
      );
      console.log(`Wrote ${output}`);
    }
  } finally {
    await Deno.remove(build, { recursive: true });
  }
}
