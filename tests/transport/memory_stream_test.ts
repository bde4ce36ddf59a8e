import { systemRandom } from "../../lib/base/random.ts";
import { MemoryNetwork } from "../../lib/transport/memory.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { device } from "./devices.ts";
import { testStreams } from "./stream_compliance.ts";

for (const delayMs of [0, 20]) {
  testStreams(`memory with ${delayMs} ms of delay`, () => {
    const clock = new FakeClock();
    const network = new MemoryNetwork(clock, systemRandom);
    network.delayMs = delayMs;
    const near = network.host(device("10.0.0.1"));
    const far = network.host(device("10.0.0.2"));
    const unreachable = network.host(device("10.0.0.3"));
    network.partition([near, far], [unreachable]);
    let running = true;
    // Nobody else moves the clock: let it run for as long as the test does.
    const ran = (async () => {
      while (running) await clock.advance(20);
    })();
    return Promise.resolve({
      near: near.transport,
      far: far.transport,
      address: { hostname: "10.0.0.2", port: 0 },
      refused: { hostname: "10.0.0.2", port: 9 },
      silent: { hostname: "10.0.0.3", port: 9 },
      async settle() {
        const until = clock.monotonic() + 200;
        while (clock.monotonic() < until) await settle(1);
      },
      async [Symbol.asyncDispose]() {
        running = false;
        await ran;
      },
    });
  });
}
