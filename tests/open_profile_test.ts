import assert from "node:assert/strict";
import { type Log, silentLog } from "../lib/base/log.ts";
import { DEFAULT_CONFIGURATION } from "../lib/config/configuration.ts";
import { resolveSettings } from "../lib/config/settings.ts";
import { openProfile } from "../lib/open_profile.ts";
import { TemporaryDirectory } from "./identity/files_fixtures.ts";
import { bob } from "./store/fixtures.ts";
import { messageIdOf } from "./support/message_ids.ts";

Deno.test("a profile that has lost its known peers says so", async () => {
  await using root = await TemporaryDirectory.make();
  const dataDir = `${root.path}/alice`;
  const settings = resolveSettings(
    { nickname: "alice", dataDir, json: true },
    DEFAULT_CONFIGURATION,
    () => "",
  );
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (message) => warnings.push(message) };
  {
    await using first = await openProfile(settings, log);
    const message = { id: messageIdOf(1), contact: bob, content: "hi", timestamp: 1 };
    const received = { ...message, encrypted: true, trust: "known" } as const;
    await first.history.store.inbox.receive(received);
    first.security.knownPeers.remember("bob", bob.id!);
  }
  {
    await using _second = await openProfile(settings, log);
    assert.deepEqual(warnings, []);
  }
  await Deno.remove(`${dataDir}/peers.json`);
  await using _third = await openProfile(settings, log);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /^The known peers of .*alice are missing: .*peers\.json/);
});
