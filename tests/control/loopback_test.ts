import assert from "node:assert/strict";
import { systemClock } from "../../lib/base/clock.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { attach } from "../../lib/control/attach.ts";
import { loopback } from "../../lib/control/loopback.ts";
import { ControlServer } from "../../lib/control/server.ts";
import { ProfileInUseError } from "../../lib/identity/profile.ts";
import { modeOf, namesIn, TemporaryDirectory } from "../identity/files_fixtures.ts";
import { World } from "../node/fixtures.ts";
import { keptLog } from "./fixtures.ts";

const endpoint = loopback(systemRandom);

function attached(directory: string) {
  return attach({
    clock: systemClock,
    endpoint,
    directory,
    version: "1.2.3",
    host: () => Promise.reject(new ProfileInUseError(directory, "process 7")),
    limitMs: 0,
    signal: new AbortController().signal,
  });
}

Deno.test("a command goes through a loopback port with the token of a file of mode 0600", async () => {
  await using root = await TemporaryDirectory.make();
  const directory = root.path;
  await using node = await new World().start("alice");
  const server = await ControlServer.start({
    ...{ clock: systemClock, log: keptLog(), node, version: "1.2.3", startedAt: 0 },
    ...{ isOneShot: false, endpoint, directory, signal: new AbortController().signal },
  });
  if (Deno.build.os !== "windows") assert.equal(await modeOf(`${directory}/control.json`), "600");
  {
    await using link = await attached(directory);
    assert.equal((await link.events.next()).value?.event, "ready");
  }
  const place = JSON.parse(await Deno.readTextFile(`${directory}/control.json`));
  assert.match(place.token, /^[0-9a-f]{64}$/);
  const file = JSON.stringify({ ...place, token: "0".repeat(64) });
  await Deno.writeTextFile(`${directory}/control.json`, file);
  await assert.rejects(attached(directory), { message: /does not know the token/ });
  await server[Symbol.asyncDispose]();
  assert.deepEqual(await namesIn(directory), []);
  assert.equal(await endpoint.dial(directory), undefined);
});

Deno.test("somebody else who listens at the port is not talked to", async () => {
  await using root = await TemporaryDirectory.make();
  using impostor = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = impostor.addr;
  const place = { port, token: "a".repeat(64), answer: "b".repeat(64) };
  await Deno.writeTextFile(`${root.path}/control.json`, JSON.stringify(place));
  const heard = (async () => {
    using connection = await impostor.accept();
    const buffer = new Uint8Array(1000);
    let text = new TextDecoder().decode(buffer.subarray(0, (await connection.read(buffer))!));
    await connection.write(
      new TextEncoder().encode('{"event":"control","control":1,"version":"1.2.3"}\n'),
    );
    const count = await connection.read(buffer).catch(() => null);
    text += new TextDecoder().decode(buffer.subarray(0, count ?? 0));
    return text;
  })();
  await assert.rejects(attached(root.path), { message: /somebody else answers in its place/ });
  assert.equal((await heard).split("\n").length, 2, "nothing after the first line");
});

Deno.test("a file that is nonsense, or a port where nobody listens, is as good as none", async () => {
  await using root = await TemporaryDirectory.make();
  for (const text of ["", "{", "{}", '{"port":0,"token":"a","answer":"b"}', '{"port":"1"}']) {
    await Deno.writeTextFile(`${root.path}/control.json`, text);
    assert.equal(await endpoint.dial(root.path), undefined, text);
  }
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  free.close();
  const place = { port: free.addr.port, token: "a", answer: "b" };
  await Deno.writeTextFile(`${root.path}/control.json`, JSON.stringify(place));
  assert.equal(await endpoint.dial(root.path), undefined);
});
