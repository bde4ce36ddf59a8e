import assert from "node:assert/strict";
import { systemRandom } from "../../lib/base/random.ts";
import type { DeliveryState } from "../../lib/chat/delivery.ts";
import { UnknownPeerError } from "../../lib/errors.ts";
import { Deliveries } from "../../lib/ui/deliveries.ts";
import { plainStyle } from "../../lib/ui/style.ts";
import { MessageIdSource } from "../../lib/wire/message_id.ts";
import { formatPeerId, type PeerId } from "../../lib/wire/peer_id.ts";
import { peerAt } from "../peer/fixtures.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";

const ID = formatPeerId(new Uint8Array(32).fill(1));

/** What a terminal says about messages whose fate the test decides. */
function start({ away = false, nickname = "bob" } = {}) {
  const clock = new FakeClock();
  const ids = new MessageIdSource(clock, systemRandom);
  const shown: string[] = [];
  const node = {
    find() {
      if (away) throw new UnknownPeerError(nickname, []);
      return peerAt([]);
    },
  };
  const print = (text: string) => void shown.push(text);
  const deliveries = new Deliveries({ clock, node, style: plainStyle, print });
  return {
    clock,
    shown,
    deliveries,
    /** Sends a message; what becomes of it is told by the function that is returned. */
    async send(content: string, state: DeliveryState, id: PeerId | null = ID) {
      const messageId = ids.next();
      const contact = id === null ? { nickname } : { nickname, id };
      let given: unknown;
      await deliveries.send((tag) => {
        given = tag;
        const to = { contact, label: nickname, trust: "known" } as const;
        return Promise.resolve({ messageId, to, state });
      });
      const becomes = (state: DeliveryState, reason?: string, tag = given) => {
        deliveries.take({ type: "delivery", messageId, to: contact, content, state, reason, tag });
      };
      return Object.assign(becomes, { tag: given });
    },
  };
}

Deno.test("a message that arrives within a moment takes one line", async () => {
  const { clock, shown, send } = start();
  const becomes = await send("hi", "sent");
  await clock.advance(299);
  becomes("sent");
  becomes("delivered");
  assert.deepEqual(shown, ["✓ delivered to bob"]);
  assert.equal(clock.waiting, 0);
});

Deno.test("a message that takes its time is told twice, the second time with its first words", async () => {
  const { clock, shown, send } = start();
  const becomes = await send("a message that is\nlonger than what is shown of it later", "sent");
  await clock.advance(300);
  assert.deepEqual(shown, ["→ sent to bob, not confirmed yet"]);
  becomes("delivered");
  assert.equal(shown[1], '✓ delivered to bob: "a message that is longer than what is…"');
});

Deno.test("of a message to somebody who is away it is said that it is kept", async () => {
  const { clock, shown, send } = start({ away: true });
  const becomes = await send("hi", "pending");
  becomes("pending");
  await clock.advance(300);
  assert.deepEqual(shown, ["… bob is away: kept until it is back"]);
  becomes("sent");
  becomes("delivered");
  assert.deepEqual(shown.slice(1), ['✓ delivered to bob: "hi"']);
});

Deno.test("of a message that cannot go to somebody who is there it is said that it will", async () => {
  const { clock, shown, send } = start();
  await send("hi", "pending");
  await clock.advance(300);
  assert.deepEqual(shown, ["… on its way to bob"]);
});

Deno.test("that a message waits again is said once", async () => {
  const { clock, shown, send } = start();
  const becomes = await send("hi", "sent");
  await clock.advance(300);
  for (let time = 0; time < 3; time++) {
    becomes("pending");
    becomes("sent");
  }
  assert.deepEqual(shown.slice(1), ['… not confirmed by bob: "hi"; it is sent again by itself']);
  becomes("delivered");
  assert.equal(shown.length, 3);
});

Deno.test("of a message in plain text it is said that nothing more will be known", async () => {
  const { clock, shown, send } = start();
  const becomes = await send("hi", "pending", null);
  becomes("sent");
  assert.deepEqual(shown, ["→ sent to bob in plain text; it does not confirm"]);
  assert.equal(clock.waiting, 0);
});

Deno.test("however many messages arrive late, there is a summary; each that fails is told", async () => {
  const { clock, shown, send } = start({ away: true });
  const fates = [];
  for (let number = 0; number < 1000; number++) fates.push(await send(String(number), "pending"));
  await clock.advance(300);
  assert.equal(shown.length, 20);
  await clock.advance(2000);
  assert.equal(shown[20], "… 980 more messages wait; /outbox shows what has not arrived");
  shown.length = 0;
  for (const becomes of fates) becomes("delivered");
  assert.equal(shown.length, 20);
  await clock.advance(2000);
  assert.equal(shown[20], "✓ 980 more messages have arrived; /history shows them");
  shown.length = 0;
  for (const becomes of fates) becomes("failed", 'Cannot send to "bob": it does not want that');
  assert.equal(shown.length, 1000);
  assert.equal(shown[7], '✗ not delivered "7" to bob: it does not want that');
});

Deno.test("of messages of other runs and interfaces only the end is told, and which it was", async () => {
  const { shown, send } = start();
  const other = start();
  const becomes = await other.send("hi", "sent");
  const mine = await send("mine", "sent");
  for (const tag of [{}, "x", becomes.tag]) {
    shown.length = 0;
    for (const state of ["pending", "sent", "pending"] as const) mine(state, undefined, tag);
    assert.deepEqual(shown, []);
    mine("delivered", undefined, tag);
    assert.deepEqual(shown, ['✓ delivered to bob: "mine"']);
  }
  becomes("delivered");
  assert.deepEqual(other.shown, ["✓ delivered to bob"]);
});

Deno.test("a message that was taken back is said to be", async () => {
  const { clock, shown, send } = start({ away: true });
  const becomes = await send("hi", "pending");
  await clock.advance(300);
  becomes("failed", "cancelled");
  assert.deepEqual(shown.slice(1), ['✗ cancelled: "hi" to bob']);
});

Deno.test("what is not accepted is told by the error alone", async () => {
  const { clock, shown, deliveries } = start();
  await assert.rejects(deliveries.send(() => Promise.reject(new Error("the disk is full"))));
  assert.deepEqual(shown, []);
  assert.equal(clock.waiting, 0);
});

Deno.test("nothing is waited for after the end", async () => {
  const { clock, shown, send, deliveries } = start();
  for (let number = 0; number < 3; number++) await send("hi", "sent");
  deliveries.close();
  await settle();
  assert.equal(clock.waiting, 0);
  assert.deepEqual(shown, []);
});

Deno.test("nicknames and texts cannot steer the terminal or pose as the program", async () => {
  const hostile = '\x1b[2Jbob: "hi"\r\n✓';
  const { clock, shown, send } = start({ nickname: hostile });
  for (const state of ["sent", "pending"] as const) {
    const becomes = await send(`${hostile}\u202e\x9b`, state);
    await clock.advance(300);
    becomes("pending", hostile);
    becomes("failed", hostile);
  }
  assert.ok(shown.length >= 4);
  for (const line of shown) {
    assert.doesNotMatch(line, /\p{Cc}|\p{Bidi_Control}/u);
    assert.match(line, /"\\u\{1b\}\[2Jbob: \\"hi\\"\\u\{d\}\\u\{a\}✓"/);
  }
});
