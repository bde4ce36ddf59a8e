import { systemClock } from "../lib/base/clock.ts";
import { systemRandom } from "../lib/base/random.ts";
import { makeCertificate } from "../lib/identity/certificate_maker.ts";
import type { Stream } from "../lib/transport/stream.ts";
import { tcpTransport } from "../lib/transport/tcp.ts";
import { secure } from "../lib/transport/tls.ts";
import { encodeSessionLine } from "../lib/wire/session.ts";
import { below, type Bench, type Row } from "./support/bench.ts";
import { BenchProcess } from "./support/process.ts";
import { median } from "./support/statistics.ts";
import { ROOT } from "./support/workspace.ts";

/** Sessions that are held while memory is looked at. */
const HELD = 500;
/** Sessions before that, so that code and buffers are in place. */
const WARM_UP = 100;

/** What a session costs to make and to keep. */
export const sessions: Bench = {
  name: "sessions",
  title: `${HELD} encrypted sessions with one peer, each of another identity`,
  run: measure,
};

async function measure(): Promise<Row[]> {
  await using holder = new BenchProcess([`${ROOT}/bench/support/session_holder.ts`]);
  const [port] = (await holder.line()).split(" ");
  const open: Stream[] = [];
  const times: number[] = [];
  const dial = async (count: number) => {
    for (let index = 0; index < count; index++) {
      const credentials = await makeCertificate(systemRandom);
      const startedAt = performance.now();
      const stream = await connect(Number(port), credentials);
      times.push(performance.now() - startedAt);
      open.push(stream);
    }
  };
  try {
    await dial(WARM_UP);
    const before = holder.residentBytes();
    await dial(HELD);
    const held = Number(await holder.ask());
    if (held !== WARM_UP + HELD) throw new Error(`Only ${held} sessions are held`);
    const handshake = median(times);
    return [
      {
        what: "handshake, with connecting and both hellos",
        measured: `${handshake.toFixed(1)} ms`,
        target: below(handshake, 10, "ms"),
      },
      {
        what: "memory of a session",
        measured: `${((holder.residentBytes() - before) / HELD / 1024).toFixed(1)} KB`,
      },
    ];
  } finally {
    for (const stream of open) stream.close();
  }
}

/** A session of a fresh identity, ready for messages. */
async function connect(
  port: number,
  credentials: { keyPem: string; certificatePem: string },
): Promise<Stream> {
  const signal = AbortSignal.timeout(60_000);
  const stream = await tcpTransport.dial({ hostname: "127.0.0.1", port }, signal);
  const secured = await secure(stream, {
    clock: systemClock,
    credentials,
    role: "client",
    judge: () => Promise.resolve(undefined),
    signal,
  });
  const hello = encodeSessionLine({
    type: "hello",
    version: 2,
    nickname: "bench",
    instance: "0123456789abcdef",
    ordinal: 1,
    dialled: 0,
  });
  await secured.write(new TextEncoder().encode(hello));
  const buffer = new Uint8Array(1024);
  if (await secured.read(buffer) === null) throw new Error("The holder has hung up");
  return secured;
}
