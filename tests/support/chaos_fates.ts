import assert from "node:assert/strict";
import { messageOf, UnknownPeerError } from "../../lib/errors.ts";
import type { ChaosNode } from "./chaos_node.ts";

/** What became of one message. */
export interface Fate {
  readonly from: number;
  readonly to: number;
  /** The numbers of both nodes, and of the message among all between them. */
  readonly content: string;
  /** `sent` is acknowledged, or with a store: accepted. */
  state: "waiting" | "sent" | Error;
  /** The receiver's latest run when the sender was told. */
  toldInRun: number;
  /** Whether it was on its way when a session that it could be on was broken. */
  wasCaught: boolean;
  /** Whether its sender or its receiver ended while it was on its way. */
  wasEnded: boolean;
}

/** Whether the sender was told that the message may have arrived. */
export function isUncertain({ state }: Fate): boolean {
  return state instanceof Error && state.message.startsWith("Cannot tell");
}

/** Whether it was not sent, surely or perhaps, for no better reason than broken connections. */
export function isGivenUp({ state, wasEnded }: Fate): boolean {
  return state !== "sent" && !wasEnded && !(state instanceof UnknownPeerError);
}

/**
 * Fails unless each message that was reported as sent arrived once and in order, and one that was
 * reported as not sent did not.
 *
 * @returns How many messages a second run of their receiver took. A receiver that starts again does
 *   not know what it took, so that is right for those whose sender had not been told by then.
 */
export function checkSent(fates: readonly Fate[], nodes: readonly ChaosNode[]): number {
  const byContent = new Map(fates.map((fate) => [fate.content, fate]));
  /** In which run each message was taken last. */
  const arrived = new Map<string, number>();
  let takenAnew = 0;
  for (const { heard } of nodes) {
    for (const [run, contents] of heard.entries()) {
      assertInOrder(contents);
      for (const content of contents) {
        if (arrived.has(content)) {
          takenAnew++;
          const { toldInRun } = byContent.get(content)!;
          assert.ok(toldInRun > run, `${content} came again although its sender was told`);
        }
        arrived.set(content, run);
      }
    }
  }
  for (const fate of fates) {
    const { content, state } = fate;
    if (state === "sent") assert.ok(arrived.has(content), `${content} was lost`);
    else if (!isUncertain(fate)) {
      assert.ok(!arrived.has(content), `${content} arrived, but: ${messageOf(state)}`);
    }
  }
  return takenAnew;
}

/**
 * Fails unless each message that was accepted has arrived once and in order, and no other one has,
 * and both sides know it.
 *
 * @returns How many of them were kept and not shown, because their receiver ended in between.
 */
export function checkKept(fates: readonly Fate[], nodes: readonly ChaosNode[]): number {
  let notShown = 0;
  for (const [index, node] of nodes.entries()) {
    const accepted = fates.filter(({ state }) => state === "sent");
    const kept = node.kept();
    const received = kept.filter(({ state }) => state === undefined);
    const posted = kept.filter(({ state }) => state !== undefined);
    for (const from of nodes.keys()) {
      assert.deepEqual(
        received.map(({ content }) => content).filter((content) => content.startsWith(`${from} `)),
        accepted.filter((fate) => fate.from === from && fate.to === index).map(contentOf),
        `node ${index} has from node ${from} what that one has sent`,
      );
    }
    assert.deepEqual(
      posted.map(({ content, state }) => `${content} ${state}`),
      accepted.filter(({ from }) => from === index).map(({ content }) => `${content} delivered`),
      `node ${index} knows what was delivered`,
    );
    const shown = node.heard.flat();
    assertInOrder(shown);
    const has = new Set(received.map(contentOf));
    for (const content of shown) assert.ok(has.has(content), `${content} was shown, and not kept`);
    notShown += received.length - shown.length;
  }
  return notShown;
}

/** Fails when something comes twice, or behind what was sent after it. */
function assertInOrder(contents: readonly string[]): void {
  const last = new Map<string, number>();
  for (const content of contents) {
    const [from, to, number] = content.split(" ");
    const before = last.get(`${from} ${to}`) ?? -1;
    assert.ok(Number(number) > before, `${content} came after number ${before}`);
    last.set(`${from} ${to}`, Number(number));
  }
}

function contentOf({ content }: { readonly content: string }): string {
  return content;
}
