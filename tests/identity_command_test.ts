import assert from "node:assert/strict";
import { silentLog } from "../lib/base/log.ts";
import { systemRandom } from "../lib/base/random.ts";
import { parseOptions } from "../lib/config/options.ts";
import { runIdentityCommand } from "../lib/identity_command.ts";
import { openIdentity } from "../lib/identity/identity.ts";
import { Profile } from "../lib/identity/profile.ts";

const windows = Deno.build.os === "windows";
const PASSPHRASE = "correct horse";

/** Runs `parlance identity` with one line on standard input, in a directory of its own. */
async function identity(root: string, args: string, line?: string, variables = {}) {
  const command = parseOptions(["identity", ...args.split(" ")]);
  assert.ok(command.kind === "identity");
  const bytes = new TextEncoder().encode(`${line}\n`);
  let isRead = line === undefined;
  const env: Record<string, string> = { HOME: root, ...variables };
  return await runIdentityCommand(command, {
    env: (name) => env[name],
    os: "linux",
    cwd: root,
    random: systemRandom,
    log: silentLog,
    signal: new AbortController().signal,
    input: {
      isTerminal: () => false,
      setRaw: () => assert.fail("no terminal"),
      show: () => assert.fail("nobody looks"),
      read(buffer) {
        if (isRead) return Promise.resolve(null);
        isRead = true;
        buffer.set(bytes);
        return Promise.resolve(bytes.length);
      },
    },
  });
}

async function inRoot(use: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    await use(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Makes an identity as the first start does, and returns its id. */
async function firstStart(directory: string): Promise<string> {
  await using profile = await Profile.open({ directory, log: silentLog });
  return (await openIdentity(profile.directory, systemRandom)).id;
}

const failure = (message: RegExp | string) => ({ name: "ParlanceError", message });

Deno.test("identity show prints the id, its short form and where it is kept", async () => {
  await inRoot(async (root) => {
    const directory = `${root}/.local/share/parlance/work`;
    const id = await firstStart(directory);
    const expected = `Id           ${id}
Short form   ${id.slice(0, 7)}
Key          ${directory}/key.pem
Certificate  ${directory}/cert.pem
`;
    for (const args of ["--profile work", "-n work", `--data-dir ${directory}`]) {
      assert.equal(await identity(root, `show ${args}`), expected);
    }
    assert.equal(await identity(root, "show", undefined, { USER: "work" }), expected);
    const config = `${root}/p.toml`;
    await Deno.writeTextFile(config, '[peer]\nnickname = "x"\nprofile = "work"\n');
    assert.equal(await identity(root, `show -c ${config}`), expected);
    assert.equal(await identity(root, `show -c ${config} -n other`), expected);
  });
});

Deno.test("an identity is shown and exported while a client uses it, but nothing is imported", async () => {
  await inRoot(async (root) => {
    const id = await firstStart(`${root}/data`);
    await using _client = await Profile.open({ directory: `${root}/data`, log: silentLog });
    assert.match((await identity(root, `show --data-dir ${root}/data`))!, new RegExp(id));
    const file = `${root}/backup`;
    const at = (data: string) => `${file} --passphrase-stdin --data-dir ${root}/${data}`;
    assert.match((await identity(root, `export ${at("data")}`, PASSPHRASE))!, new RegExp(id));
    await using _other = await Profile.open({ directory: `${root}/empty`, log: silentLog });
    await assert.rejects(identity(root, `import ${at("empty")}`, PASSPHRASE), {
      name: "ProfileInUseError",
      message: new RegExp(`process ${Deno.pid} uses it`),
    });
  });
});

Deno.test("without an identity, show and export say when it is made, and make none", async () => {
  await inRoot(async (root) => {
    for (const [args, action] of [["show", "show"], [`export ${root}/f`, "export"]]) {
      await assert.rejects(
        identity(root, `${args} -n bob`),
        failure(
          new RegExp(
            `^Cannot ${action} the identity.*: there is none in ${RegExp.escape(root)}/.*/bob; `,
          ),
        ),
      );
    }
    assert.deepEqual(await Array.fromAsync(Deno.readDir(root)), []);
  });
});

Deno.test("an export is for its owner only and overwrites nothing", async () => {
  await inRoot(async (root) => {
    await firstStart(`${root}/data`);
    const file = `${root}/backup`;
    const args = `export ${file} --passphrase-stdin --data-dir ${root}/data`;
    await assert.rejects(
      identity(root, args, "short"),
      failure(/^Cannot use this passphrase: it has fewer than 8 characters/),
    );
    await assert.rejects(identity(root, args), failure(/the passphrase: it is empty/));
    await assert.rejects(Deno.stat(file), Deno.errors.NotFound);
    await identity(root, args, PASSPHRASE);
    if (!windows) assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
    const text = await Deno.readTextFile(file);
    await assert.rejects(
      identity(root, args, PASSPHRASE),
      failure(
        `Cannot export the identity to ${file}: it exists already; remove it first or choose ` +
          "another name",
      ),
    );
    assert.equal(await Deno.readTextFile(file), text);
    await assert.rejects(
      identity(
        root,
        `export ${root}/none/f --passphrase-stdin --data-dir ${root}/data`,
        "12345678",
      ),
      failure(/none\/f: its directory does not exist/),
    );
  });
});

Deno.test("an import gives another directory the same identity, and replaces none", async () => {
  await inRoot(async (root) => {
    const id = await firstStart(`${root}/data`);
    const file = `${root}/backup`;
    const at = (data: string) => `${file} --passphrase-stdin --data-dir ${root}/${data}`;
    await identity(root, `export ${at("data")}`, PASSPHRASE);
    await assert.rejects(
      identity(root, `import ${at("new")}`, "wrong horse"),
      failure(`Cannot import ${file}: the passphrase is wrong; try again`),
    );
    await assert.rejects(Deno.stat(`${root}/new`), Deno.errors.NotFound);
    assert.match((await identity(root, `import ${at("new")}`, PASSPHRASE))!, new RegExp(id));
    assert.match((await identity(root, `show --data-dir ${root}/new`))!, new RegExp(id));
    if (!windows) {
      assert.equal((await Deno.stat(`${root}/new`)).mode! & 0o777, 0o700);
      assert.equal((await Deno.stat(`${root}/new/key.pem`)).mode! & 0o777, 0o600);
    }
    await assert.rejects(
      identity(root, `import ${at("new")}`, PASSPHRASE),
      failure(
        new RegExp(
          `^Cannot import ${RegExp.escape(file)}: there is an identity in .*/new already, `,
        ),
      ),
    );
    await Deno.remove(`${root}/new/key.pem`);
    await assert.rejects(identity(root, `import ${at("new")}`, PASSPHRASE), {
      name: "IdentityError",
      message: /key\.pem is missing; move/,
    });
  });
});

Deno.test("what is no backup is refused", async () => {
  await inRoot(async (root) => {
    const refused = async (file: string, why: RegExp, line?: string) =>
      await assert.rejects(
        identity(root, `import ${file} --passphrase-stdin --data-dir ${root}/d`, line),
        failure(new RegExp(`^Cannot import ${RegExp.escape(file)}: ${why.source}`)),
      );
    await refused(`${root}/gone`, /there is no such file; /);
    await refused(root, /it is a directory; /);
    await Deno.writeTextFile(`${root}/large`, "x".repeat(40_000));
    await refused(`${root}/large`, /it has more than 32768 bytes, /);
    await Deno.writeFile(`${root}/other`, Uint8Array.of(0xff, 0, 1));
    await refused(`${root}/other`, /it is not a whole Parlance identity backup; /, PASSPHRASE);
  });
});

Deno.test("a pipe is only taken for a passphrase where the user says so", async () => {
  await inRoot(async (root) => {
    await firstStart(`${root}/data`);
    await assert.rejects(identity(root, `export ${root}/f --data-dir ${root}/data`, PASSPHRASE), {
      name: "InvalidInputError",
      message: "Cannot ask for the passphrase of identity export: standard input is no terminal; " +
        "use one, or --passphrase-stdin to take a line of standard input",
    });
  });
});
