import assert from "node:assert/strict";
import { DEFAULT_FILE } from "../../lib/config/default_file.ts";
import { generateConfiguration } from "../../lib/config/generate.ts";

async function inDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await use(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const refusal = (message: string) => ({ name: "InvalidInputError", message });

Deno.test("the default configuration is written to a new file", async () => {
  await inDirectory(async (directory) => {
    await generateConfiguration(`${directory}/p.toml`);
    assert.equal(await Deno.readTextFile(`${directory}/p.toml`), DEFAULT_FILE);
  });
});

Deno.test("a file that exists is not overwritten", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/p.toml`;
    await Deno.writeTextFile(path, "mine");
    await assert.rejects(
      generateConfiguration(path),
      refusal(`Cannot write ${path}: it exists already; remove it first or choose another name`),
    );
    assert.equal(await Deno.readTextFile(path), "mine");
    await assert.rejects(generateConfiguration(directory), { name: "InvalidInputError" });
  });
});

Deno.test("a directory that does not exist is named as the reason", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/a/p.toml`;
    await assert.rejects(
      generateConfiguration(path),
      refusal(`Cannot write ${path}: its directory does not exist; make it first`),
    );
  });
});
