import assert from "node:assert/strict";
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import { BootstrapClient } from "../../lib/discovery/bootstrap_client.ts";
import { PeerRegistry } from "../../lib/discovery/registry.ts";
import { BootstrapServer } from "../../lib/server/server.ts";
import { dialWebSocket } from "../../lib/transport/websocket.ts";
import { instanceOf } from "./registry_fixtures.ts";

/** A client on the machine's clock and a real WebSocket; `until` waits for an event. */
function start(url: string, nickname: string, instance: string) {
  const seen: string[] = [];
  let wake = () => {};
  const note = (event: string) => {
    seen.push(event);
    wake();
  };
  const refusals = new Refusals(systemClock, silentLog);
  const registry = new PeerRegistry(systemClock, refusals, nickname, ({ type, peer }) => {
    note(`${type.slice(5)} ${peer.label}`);
  });
  const client = new BootstrapClient({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    refusals,
    dial: dialWebSocket,
    registry,
    url,
    nickname,
    instance: instanceOf(instance),
    tcpPort: 5000,
    heartbeatIntervalMs: 10_000,
    peerTimeoutMs: 30_000,
    onState: note,
    onProblem: note,
  });
  return {
    seen,
    registry,
    async until(event: string) {
      while (!seen.includes(event)) await new Promise<void>((resolve) => wake = resolve);
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

Deno.test("clients register at a real server, see one another, and leave it", async () => {
  await using server = await BootstrapServer.start({ hostname: "127.0.0.1", port: 0 });
  await using alice = start(server.url, "alice", "a1");
  await alice.until("registered");
  {
    await using bob = start(server.url, "bob", "b1");
    await bob.until("up alice");
    assert.equal(server.stats().peers, 2);
    const [{ addresses, version }] = bob.registry.peers();
    assert.deepEqual(addresses.map(({ address }) => address), [
      { hostname: "127.0.0.1", port: 5000 },
    ]);
    assert.equal(version, 2);
  }
  assert.deepEqual(alice.seen.slice(0, 2), ["connecting", "registered"]);
});

Deno.test("client says why a real server went away", async () => {
  const server = await BootstrapServer.start({ hostname: "127.0.0.1", port: 0 });
  await using alice = start(server.url, "alice", "a1");
  await alice.until("registered");
  await server.close();
  await alice.until("disconnected");
});

Deno.test("client tells the user what a real server refuses", async () => {
  await using server = await BootstrapServer.start({
    hostname: "127.0.0.1",
    port: 0,
    limits: { nicknameBytes: 3 },
  });
  await using alice = start(server.url, "alice", "a1");
  await alice.until("disconnected");
  assert.match(alice.seen[1], /answers: Invalid nickname: it has more than 3 bytes/);
});
