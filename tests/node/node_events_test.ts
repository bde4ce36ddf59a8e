import assert from "node:assert/strict";
import { Arrival } from "../../lib/chat/arrivals.ts";
import { NodeEvents } from "../../lib/node_events.ts";
import type { NodeEvent } from "../../lib/node.ts";
import { settle } from "../support/fake_clock.ts";

function message(content: string): NodeEvent {
  return {
    type: "message",
    message: { from: "bob", content, timestamp: 1 },
    label: "bob",
    id: undefined,
    encrypted: false,
    trust: "plain",
  };
}

/** Events of three messages, and which of them count as shown. */
function withThree() {
  const shown: Arrival[] = [];
  const events = new NodeEvents((arrival) => shown.push(arrival));
  const arrivals = ["one", "two", "three"].map((content) => {
    const arrival = new Arrival();
    events.pushArrival(message(content), arrival);
    return arrival;
  });
  return { events, arrivals, shown };
}

Deno.test("a message counts as shown when its consumer asks for the next event, in either way", async () => {
  const { events, arrivals, shown } = withThree();
  await events.next();
  assert.deepEqual(shown, []);
  events.poll();
  assert.deepEqual(shown, arrivals.slice(0, 1));
  events.poll();
  assert.deepEqual(shown, arrivals.slice(0, 2));
  assert.equal(events.poll(), undefined);
  assert.deepEqual(shown, arrivals);
});

Deno.test("a message that was taken without waiting counts as shown when it is written", async () => {
  const { events, arrivals, shown } = withThree();
  const writing = Promise.withResolvers<boolean>();
  events.countWritten(() => writing.promise);
  while (events.poll() !== undefined);
  await settle();
  assert.deepEqual(shown, []);
  writing.resolve(true);
  await settle();
  assert.deepEqual(shown, arrivals);
});
