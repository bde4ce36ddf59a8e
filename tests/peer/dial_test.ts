import assert from "node:assert/strict";
import { ConnectError } from "../../lib/errors.ts";
import { dialPeer } from "../../lib/peer/dial.ts";
import { formatAddress, type SocketAddress } from "../../lib/wire/address.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { peerAt, watched } from "./fixtures.ts";

const addresses = [1, 2, 3].map((index) => ({ hostname: `10.0.0.${index}`, port: index }));

/** A dial whose attempts do what the test says, and what it tried. */
function dialling(
  attempt: (address: SocketAddress, signal: AbortSignal) => Promise<string>,
  { worked, at = addresses }: { worked?: string; at?: SocketAddress[] } = {},
) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const tried: string[] = [];
  const options = { clock, worked, timeoutMs: 5000, totalMs: 10_000, signal: stop.signal };
  const result = dialPeer(peerAt(at), options, (address, signal) => {
    tried.push(address.hostname);
    return attempt(address, signal);
  });
  return { clock, stop, tried, result };
}

/** An attempt that nobody answers. */
const silence = (_: SocketAddress, signal: AbortSignal) =>
  new Promise<never>((_, reject) =>
    signal.addEventListener("abort", () => reject(new Error("given up")))
  );

Deno.test("addresses are tried in their order until one works", async () => {
  const { tried, result, clock } = dialling(({ hostname }) =>
    hostname === "10.0.0.2" ? Promise.resolve("yes") : Promise.reject(new Error("refused"))
  );
  assert.equal(await result, "yes");
  assert.deepEqual(tried, ["10.0.0.1", "10.0.0.2"]);
  assert.equal(clock.waiting, 0);
});

Deno.test("the address that worked last comes first, and the others keep their order", async () => {
  const { tried, result } = dialling(() => Promise.reject(new Error("refused")), {
    worked: formatAddress(addresses[2]),
  });
  await assert.rejects(result, ConnectError);
  assert.deepEqual(tried, ["10.0.0.3", "10.0.0.1", "10.0.0.2"]);
});

Deno.test("an address that is not the peer's any more is not tried, though it worked last", async () => {
  const { tried, result } = dialling(() => Promise.reject(new Error("refused")), {
    worked: "10.9.9.9:9",
  });
  await assert.rejects(result, ConnectError);
  assert.deepEqual(tried, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
});

Deno.test("each address gets its time, and all together no more than theirs", async () => {
  const { clock, tried, result } = dialling(silence);
  const dial = watched(result);
  await clock.advance(4999);
  assert.deepEqual(tried, ["10.0.0.1"]);
  await clock.advance(1);
  assert.deepEqual(tried, ["10.0.0.1", "10.0.0.2"]);
  await clock.advance(5000);
  assert.ok(dial.state instanceof ConnectError);
  assert.match(
    dial.state.message,
    /^Cannot connect to "bob" at 10\.0\.0\.1:1 \(no answer within 5 s\), 10\.0\.0\.2:2 \(no answer within 5 s\), 1 more \(not tried within 10 s\); /,
  );
  assert.equal(clock.waiting, 0);
});

Deno.test("an attempt is given up when the caller gives up, and no other one is made", async () => {
  const { clock, stop, tried, result } = dialling(silence);
  const rejected = assert.rejects(result, /10\.0\.0\.1:1 \(enough\)/);
  await settle();
  stop.abort(new Error("enough"));
  await rejected;
  assert.deepEqual(tried, ["10.0.0.1"]);
  assert.equal(clock.waiting, 0);
});
