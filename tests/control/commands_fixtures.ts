import assert from "node:assert/strict";
import { silentLog } from "../../lib/base/log.ts";
import { type Kept, type Link, linkTo } from "../../lib/control/link.ts";
import { type OneShotCommand, runOneShot } from "../../lib/control/run.ts";
import type { Shown } from "../../lib/control/told.ts";
import { ProfileInUseError } from "../../lib/identity/profile.ts";
import type { Node } from "../../lib/node.ts";
import { watched } from "../peer/fixtures.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { Keyboard, Paper } from "../ui/driven.ts";
import { MemoryEndpoint, streamPair, Talker } from "./fixtures.ts";

export const SEND = { name: "send", to: "bob", text: "hi", timeoutMs: 10_000 } as const;
export const WELCOME = '{"event":"control","control":1,"version":"1.2.3","age_ms":60000}\n';

type Options = Parameters<typeof runOneShot>[1];

/** Runs a command, and keeps what it says. */
export function run(command: OneShotCommand, clock: FakeClock, options: Partial<Options> = {}) {
  const paper = new Paper();
  const keyboard = new Keyboard();
  const warnings: string[] = [];
  const stop = new AbortController();
  const running = runOneShot(command, {
    clock,
    endpoint: new MemoryEndpoint(clock),
    directory: "/profile",
    version: "1.2.3",
    host: () => Promise.reject(new ProfileInUseError("/profile", "process 7")),
    log: silentLog,
    nickname: "alice",
    mode: "local",
    announceIntervalMs: 5000,
    maxContentBytes: 65_536,
    read: keyboard.read,
    output: paper.output,
    warn: (text) => void warnings.push(text),
    signal: stop.signal,
    ...options,
  });
  return { running, run: watched(running), paper, keyboard, warnings, stop };
}

/** A client that says what a test lets it say. */
export function scripted(clock: FakeClock) {
  const [stream, other] = streamPair(clock);
  const client = new Talker(other);
  const endpoint = { listen: () => assert.fail(), dial: () => Promise.resolve({ stream }) };
  return { client, endpoint };
}

/** A command that has sent its message to a scripted client. */
export async function sending(
  command: OneShotCommand = SEND,
  options: Partial<Options> = {},
  welcome = WELCOME,
) {
  const clock = new FakeClock();
  const { client, endpoint } = scripted(clock);
  const started = run(command, clock, { endpoint, ...options });
  await settle(8);
  await client.say(welcome);
  return { clock, client, ...started };
}

/** A command that is the client itself. */
export function own(
  clock: FakeClock,
  node: Node,
  release: () => Promise<void>,
  startedAt = clock.monotonic(),
  kept: Kept = "everything",
  shown?: Shown,
): Link {
  return linkTo({ clock, node, version: "1", startedAt, kept: () => kept, shown, release });
}

/** A line that answers it. */
export const say = (event: Record<string, unknown>) =>
  `${JSON.stringify({ ref: 1, to: "bob", ...event })}\n`;
