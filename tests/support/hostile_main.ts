/**
 * A host that means harm, as a process: the first argument says as JSON what it does. It prints
 * `done` when it has done it, and holds its connections until its input ends.
 *
 * @module
 */

import { driven, print } from "./driven.ts";
import { announce, badDatagrams, flood, sendAll } from "./hostile_datagrams.ts";
import { openIdle, sendBadLines, sendInParts, trickle } from "./hostile_lines.ts";

const encoder = new TextEncoder();
const settings = JSON.parse(Deno.args[0]);
/** The victim's `ip:port`, where it has one. */
const [hostname, port] = String(settings.target ?? "").split(":");
const target = { hostname, port: Number(port) };
/** What the victim must still notice after everything before it. */
const marker = announce({ nickname: "marker", tcp_port: 4000 });

switch (settings.scenario) {
  case "goodbye": {
    const goodbye = { type: "goodbye", nickname: settings.of };
    await sendAll([encoder.encode(JSON.stringify(goodbye)), marker]);
    print({ event: "done" });
    break;
  }
  case "datagrams": {
    const bad = badDatagrams();
    await sendAll([...bad.map(([, bytes]) => bytes), marker]);
    print({ event: "done", count: bad.length });
    break;
  }
  case "flood": {
    const bad = badDatagrams().map(([, bytes]) => bytes).filter(({ length }) => length < 1000);
    const count = await flood(10_000, 2, (index) => bad[index % bad.length]);
    print({ event: "done", count });
    break;
  }
  case "nicknames": {
    // From many addresses, so that the rate of one address is not all that stands in the way.
    const sent = await Promise.all(
      (settings.sources as string[]).map((source, number) =>
        flood(settings.perSource / 2, 2, (index) => {
          const nickname = `fake-${number}-${index}`;
          return announce({ nickname, tcp_port: 1024 + index % 60_000 });
        }, source)
      ),
    );
    print({ event: "done", count: sent.reduce((sum, count) => sum + count, 0) });
    break;
  }
  case "lines":
    print({ event: "done", causes: await sendBadLines(target) });
    break;
  case "parts":
    await sendInParts(target, settings.content);
    print({ event: "done" });
    break;
  case "idle": {
    const open = await openIdle(target, settings.count);
    void trickle(target);
    print({ event: "done", count: open.length });
    break;
  }
  case "raw":
    // One line as it is, for content that a test makes up.
    await sendRaw(settings.text);
    print({ event: "done" });
    break;
  default:
    throw new Error(`Unknown scenario ${settings.scenario}`);
}
await driven(() => {});
Deno.exit(0);

async function sendRaw(text: string): Promise<void> {
  using connection = await Deno.connect(target);
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
