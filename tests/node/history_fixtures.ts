import assert from "node:assert/strict";
import type { NodeEvent } from "../../lib/node.ts";
import { until } from "../ui/driven.ts";
import type { Listening } from "./fixtures.ts";
import type { SecureWorld } from "./secure_world.ts";

/** What became of a node's messages, as `text: state`, in order. */
export function fates({ events }: Listening): string[] {
  return events.flatMap((event: NodeEvent) =>
    event.type === "delivery" ? [`${event.content}: ${event.state}`] : []
  );
}

/** What a node has kept, as `from: text` or `to bob: text (state)`, the newest last. */
export function kept({ node }: Listening): string[] {
  return node.messages.history(undefined, 1000).map(({ contact: { nickname }, state, content }) =>
    state === undefined ? `${nickname}: ${content}` : `to ${nickname}: ${content} (${state})`
  );
}

/** Lets time pass until something has come about. */
export async function passing(
  secure: SecureWorld,
  isDone: () => boolean,
  what: string,
): Promise<void> {
  for (let turn = 0; turn < 400 && !isDone(); turn++) await secure.world.clock.advance(100);
  assert.ok(isDone(), `never: ${what}`);
}

/** Alice and bob, who have talked, with what outlives their runs. */
export async function acquainted(secure: SecureWorld) {
  const [ofAlice, ofBob] = [await secure.profile(), await secure.profile()];
  const hosts = { alice: secure.world.host(), bob: secure.world.host() };
  const alice = await secure.startWith("alice", ofAlice, { host: hosts.alice });
  const bob = await secure.startWith("bob", ofBob, { host: hosts.bob });
  await alice.node.post("bob", "hello");
  await until(() => fates(alice).includes("hello: delivered"), "the delivery");
  await until(() => bob.heard.length === 1, "the message");
  return { alice, bob, ofAlice, ofBob, hosts };
}
