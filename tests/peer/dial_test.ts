import assert from "node:assert/strict";
import { ConnectError } from "../../lib/errors.ts";
import { dialPeer } from "../../lib/peer/dial.ts";
import { formatAddress, type SocketAddress } from "../../lib/wire/address.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { peerAt, watched } from "./fixtures.ts";

const addressesUpTo = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ hostname: `10.0.0.${at + 1}`, port: at + 1 }));
const addresses = addressesUpTo(3);

/** What an attempt yields; knows whether it was disposed of. */
class Connection implements Disposable {
  closed = false;

  constructor(readonly to: string) {}

  [Symbol.dispose](): void {
    this.closed = true;
  }
}

/** A dial whose attempts do what the test says, and what it tried. */
function dialling(
  attempt: (address: SocketAddress, signal: AbortSignal) => Promise<Connection>,
  { worked, at = addresses }: { worked?: string; at?: SocketAddress[] } = {},
) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const tried: string[] = [];
  const signals: AbortSignal[] = [];
  const options = { clock, worked, timeoutMs: 5000, totalMs: 10_000, signal: stop.signal };
  const result = dialPeer(peerAt(at), options, (address, signal) => {
    tried.push(address.hostname);
    signals.push(signal);
    return attempt(address, signal);
  });
  return { clock, stop, tried, signals, result };
}

/** An attempt that nobody answers. */
const silence = (_: SocketAddress, signal: AbortSignal) =>
  new Promise<never>((_, reject) =>
    signal.addEventListener("abort", () => reject(new Error("given up")))
  );

const refusal = () => Promise.reject(new Error("refused"));

Deno.test("addresses are tried in their order until one works, without a wait where they refuse", async () => {
  const { tried, result, clock } = dialling(({ hostname }) =>
    hostname === "10.0.0.2" ? Promise.resolve(new Connection(hostname)) : refusal()
  );
  assert.equal((await result).to, "10.0.0.2");
  assert.deepEqual(tried, ["10.0.0.1", "10.0.0.2"]);
  await settle();
  assert.equal(clock.waiting, 0);
});

Deno.test("the address that worked last comes first, and the others keep their order", async () => {
  const { tried, result } = dialling(refusal, { worked: formatAddress(addresses[2]) });
  await assert.rejects(result, ConnectError);
  assert.deepEqual(tried, ["10.0.0.3", "10.0.0.1", "10.0.0.2"]);
});

Deno.test("an address that is not the peer's any more is not tried, though it worked last", async () => {
  const { tried, result } = dialling(refusal, { worked: "10.9.9.9:9" });
  await assert.rejects(result, ConnectError);
  assert.deepEqual(tried, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
});

Deno.test("an address that does not answer has a head start of 300 ms, and loses to one that does", async () => {
  const { clock, tried, signals, result } = dialling((address, signal) =>
    address.hostname === "10.0.0.2"
      ? Promise.resolve(new Connection(address.hostname))
      : silence(address, signal)
  );
  const dial = watched(result);
  await clock.advance(299);
  assert.deepEqual(tried, ["10.0.0.1"]);
  await clock.advance(1);
  assert.equal(dial.state, "sent");
  assert.equal((await result).closed, false);
  assert.equal(signals[0].aborted, true);
  await clock.advance(10_000);
  assert.deepEqual(tried, ["10.0.0.1", "10.0.0.2"], "nothing is tried after the end");
  assert.equal(clock.waiting, 0);
});

Deno.test("of two addresses that answer in one turn the first wins, and the other is closed", async () => {
  const connections: Connection[] = [];
  const both = Promise.withResolvers<void>();
  const { clock, result } = dialling(async ({ hostname }) => {
    await both.promise; // without regard to its signal
    connections.push(new Connection(hostname));
    return connections.at(-1)!;
  });
  await clock.advance(300);
  both.resolve();
  assert.equal((await result).to, "10.0.0.1");
  await settle();
  assert.deepEqual(connections.map(({ closed }) => closed), [false, true]);
  assert.equal(clock.waiting, 0);
});

Deno.test("no more than four addresses are tried at once, and sixteen silent ones hide none behind them", async () => {
  let now = 0;
  let most = 0;
  const { clock, tried, result } = dialling(async (address, signal) => {
    if (address.port === 17) return new Connection(address.hostname);
    most = Math.max(most, ++now);
    return await silence(address, signal).finally(() => now--);
  }, { at: addressesUpTo(17) });
  const dial = watched(result);
  await clock.advance(1900);
  assert.deepEqual([tried.length, most], [4, 4]);
  await clock.advance(100);
  assert.equal(tried.length, 5, "one that fails makes room at once");
  await clock.advance(7000);
  assert.equal(dial.state, "sent");
  assert.equal(most, 4);
  assert.equal(clock.waiting, 0);
});

Deno.test("each address gets its time, and all together no more than theirs", async () => {
  const { clock, result } = dialling(silence);
  const dial = watched(result);
  await clock.advance(5599);
  assert.equal(dial.state, "waiting");
  await clock.advance(1);
  assert.ok(dial.state as unknown instanceof ConnectError);
  assert.match(
    String(dial.state),
    /Cannot connect to "bob" at 10\.0\.0\.1:1 \(no answer within 5 s\), 10\.0\.0\.2:2 \(no answer within 5 s\), 10\.0\.0\.3:3 \(no answer within 5 s\); /,
  );
  assert.equal(clock.waiting, 0);

  const many = dialling(silence, { at: addressesUpTo(16) });
  const last = watched(many.result);
  await many.clock.advance(9999);
  assert.equal(last.state, "waiting");
  await many.clock.advance(1);
  assert.ok(last.state as unknown instanceof ConnectError);
  for (const { hostname, port } of addressesUpTo(16)) {
    assert.ok(String(last.state).includes(`${hostname}:${port} (no answer within `), hostname);
  }
  assert.equal(many.clock.waiting, 0);
});

Deno.test("attempts are given up when the caller gives up, and no other one is made", async () => {
  const { clock, stop, tried, result } = dialling(silence);
  const rejected = assert.rejects(
    result,
    /10\.0\.0\.1:1 \(enough\), 10\.0\.0\.2:2 \(enough\); /,
  );
  await clock.advance(300);
  stop.abort(new Error("enough"));
  await rejected;
  assert.deepEqual(tried, ["10.0.0.1", "10.0.0.2"]);
  await settle();
  assert.equal(clock.waiting, 0);
});
