import assert from "node:assert/strict";
import { AsyncQueue } from "../../lib/base/async_queue.ts";
import type { NodeEvent } from "../../lib/node.ts";
import { EventPump } from "../../lib/ui/event_pump.ts";
import { watched } from "../peer/fixtures.ts";
import { settle } from "../support/fake_clock.ts";

const event: NodeEvent = { type: "problem", message: "" };

/** Events that are shown as long as the test leaves room. */
function start() {
  const events = new AsyncQueue<NodeEvent>(1);
  let room: PromiseWithResolvers<void> | undefined;
  const state = { shown: 0 };
  const pump = new EventPump(() => void state.shown++, () => room?.promise);
  const running = pump.run(events);
  return {
    events,
    pump,
    running,
    state,
    stall: () => room = Promise.withResolvers(),
    go() {
      room?.resolve();
      room = undefined;
    },
    close: () => room?.reject(new Error("the terminal was closed")),
  };
}

Deno.test("what has happened is shown before the end, however slow the reader is", async () => {
  const { events, pump, state, stall, go } = start();
  stall();
  for (let more = 0; more < 1000; more++) events.push(event);
  const drained = watched(pump.drained());
  await settle();
  assert.equal(state.shown, 1);
  assert.equal(drained.state, "waiting");
  go();
  await settle();
  assert.equal(state.shown, 1000);
  assert.equal(drained.state, "sent");
  events.close();
});

Deno.test("news without an end do not keep the program from ending", async () => {
  const { events, pump } = start();
  let isOver = false;
  const flood = () => {
    events.push(event);
    if (!isOver) setImmediate(flood);
  };
  flood();
  await pump.drained();
  isOver = true;
  events.close();
});

Deno.test("a terminal that was closed ends the news", async () => {
  const { events, pump, running, stall, close } = start();
  stall();
  events.push(event);
  await settle();
  close();
  await running;
  await pump.drained();
});
