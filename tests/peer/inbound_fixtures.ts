import { silentLog } from "../../lib/base/log.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import { Inbound } from "../../lib/peer/inbound.ts";
import { Intake } from "../../lib/peer/intake.ts";
import type { MemoryHost } from "../../lib/transport/memory.ts";
import type { Listener, Stream } from "../../lib/transport/stream.ts";
import { encodeMessage, type Message } from "../../lib/wire/message.ts";
import { addHost, memoryWorld } from "./fixtures.ts";

export const encoder = new TextEncoder();
/** Bytes. */
export const KIB = 1024;
export const MIB = 1024 * 1024;

/** A gate that a test closes to be a slow consumer. */
export class Gate {
  #wait: PromiseWithResolvers<void> | undefined;
  close(): void {
    this.#wait ??= Promise.withResolvers<void>();
  }
  open(): void {
    this.#wait?.resolve();
    this.#wait = undefined;
  }
  ready(): Promise<void> | undefined {
    return this.#wait?.promise;
  }
}

/** An inbound side on 10.0.0.1; `listener` replaces the one in memory. */
export function start(listener?: Listener, log = silentLog) {
  const { clock, network } = memoryWorld();
  const host = addHost(network, "10.0.0.1");
  const refusals = new Refusals(clock, log);
  const messages: Message[] = [];
  const gate = new Gate();
  const inbound = new Inbound({
    clock,
    refusals,
    listener: listener ?? host.transport.listen({ hostname: "0.0.0.0", port: 7 }),
    maxContentBytes: 64 * KIB,
    onMessage: (message) => void messages.push(message),
    intake: new Intake(refusals, () => gate.ready()),
  });
  const contents = () => messages.map(({ content }) => content);
  return { clock, network, host, refusals, messages, contents, gate, inbound };
}

/** Connects to the inbound side of {@linkcode start}. */
export function dial(from: MemoryHost): Promise<Stream> {
  return from.transport.dial({ hostname: "10.0.0.1", port: 7 }, new AbortController().signal);
}

/** Writes all of it. */
export async function write(stream: Stream, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  for (let at = 0; at < bytes.length;) at += await stream.write(bytes.subarray(at));
}

/** A message of version 1, with its newline. */
export const line = (content: string, from = "bob") =>
  encodeMessage({ from, content, timestamp: 1 });
