import assert from "node:assert/strict";
import type { Child } from "../support/child.ts";
import { clientCommand, startClient, startPlainClient } from "../support/program.ts";
import { sessionTest } from "../support/sessions.ts";
import { unique } from "../support/unique.ts";

const COUNT = 20_000;
/** More than a pipe takes, and less than the program holds. */
const LISTENED = 3000;

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

sessionTest(
  "what is delivered to a killed listen that nobody reads is told by the next",
  async () => {
    const root = await Deno.makeTempDir({ prefix: "parlance-unshown-" });
    const [alice, bob] = [unique("alice"), unique("bob")];
    const config = "[peer]\nannounce_interval_secs = 1\ntimeout_secs = 5\n";
    const common = (name: string) => ["--data-dir", `${root}/${name}`, "--interface", "127.0.0.1"];
    const listen = ["listen", "--json", "--nickname", bob, ...common(bob)];
    const prepared = clientCommand({ args: listen, config });
    try {
      await using sender = startClient(alice, { args: common(alice), config });
      const { command, args, env, cwd } = prepared;
      const unread = new Deno.Command(command, {
        ...{ args, env, cwd, clearEnv: true },
        ...{ stdin: "null", stdout: "piped", stderr: "null" },
      }).spawn();
      try {
        await sender.waitFor({ event: "peer_up", nickname: bob });
        const lines = Array.from({ length: LISTENED }, (_, at) => {
          const content = `m${at} ${"x".repeat(60)}`;
          return `${JSON.stringify({ command: "send", to: bob, content })}\n`;
        });
        void sender.write(lines.join(""));
        await sender.waitUntil(
          "the delivery of all",
          () => sender.all({ event: "delivered" }).length === LISTENED || undefined,
        );
      } finally {
        unread.kill("SIGKILL");
        await unread.status;
      }
      const rest = await new Response(unread.stdout).text();
      const told = new Set(rest.match(/(?<="content":"m)\d+/g));
      assert(told.size < LISTENED, "All was in the pipe");
      await using next = startPlainClient({ args: listen, config });
      await next.waitForText(new RegExp(`"m${LISTENED - 1} `));
      for (const [at] of next.stdout.matchAll(/(?<="content":"m)\d+/g)) told.add(at);
      assert.equal(told.size, LISTENED);
    } finally {
      await Deno.remove(root, { recursive: true });
      await Deno.remove(prepared.cwd, { recursive: true });
    }
  },
);
