import assert from "node:assert/strict";
import type { Child } from "../support/child.ts";
import { startClient } from "../support/program.ts";
import { sessionTest } from "../support/sessions.ts";
import { unique } from "../support/unique.ts";

const COUNT = 20_000;

for (const isKept of [true, false]) {
  sessionTest(
    `what is marked as delivered is told, although its reader's client is killed (history ${
      isKept ? "on" : "off"
    })`,
    async () => {
      const root = await Deno.makeTempDir({ prefix: "parlance-unshown-" });
      const [alice, bob] = [unique("alice"), unique("bob")];
      const start = (name: string, enabled: boolean) =>
        startClient(name, {
          args: ["--data-dir", `${root}/${name}`, "--interface", "127.0.0.1"],
          config:
            `[peer]\nannounce_interval_secs = 1\ntimeout_secs = 5\n[history]\nenabled = ${enabled}\n`,
        });
      try {
        await using sender = await start(alice, true);
        const told = new Map<unknown, unknown>();
        const take = ({ events }: Child) => {
          for (const { event, message_id, content, earlier } of events) {
            if (event !== "message") continue;
            // What was told before the kill may be told again, and then says that it may be.
            if (told.has(message_id)) assert.equal(earlier, true, String(content));
            told.set(message_id, content);
          }
        };
        {
          await using killed = await start(bob, isKept);
          await sender.waitFor({ event: "peer_up", nickname: bob });
          await sender.send({ command: "send", to: bob, content: "hello" });
          await sender.waitFor({ event: "delivered" });
          const lines = Array.from(
            { length: COUNT },
            (_, at) => `${JSON.stringify({ command: "send", to: bob, content: `m${at}` })}\n`,
          );
          void sender.write(lines.join(""));
          await killed.waitFor({ event: "message", content: "m2000" });
          Deno.kill(killed.pid, "SIGKILL");
          await killed.exit;
          take(killed);
        }
        await using again = await start(bob, isKept);
        let delivered = 0;
        for (let seen = 0; delivered <= COUNT;) {
          seen = await sender.waitUntil(
            "the delivery of all",
            () => sender.events.length > seen ? sender.events.length : undefined,
          );
          delivered = sender.events.filter(({ event }) => event === "delivered").length;
        }
        await again.waitFor({ event: "message", content: `m${COUNT - 1}` });
        take(again);
        const contents = [...told.values()].filter((content) => content !== "hello");
        assert.deepEqual(contents, Array.from({ length: COUNT }, (_, at) => `m${at}`));
      } finally {
        await Deno.remove(root, { recursive: true });
      }
    },
  );
}
