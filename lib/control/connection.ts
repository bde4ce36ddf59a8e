import type { Clock } from "../base/clock.ts";
import { messageOf } from "../errors.ts";
import type { Node } from "../node.ts";
import { runJsonInterface } from "../ui/json.ts";
import { Output } from "../ui/output.ts";
import { decodeUtf8 } from "../wire/utf8.ts";
import type { ControlStream, Secrets } from "./endpoint.ts";
import {
  CONTROL_VERSION,
  decodeHello,
  encodeEnd,
  encodeEnding,
  encodeRefusal,
  encodeWelcome,
  isSame,
  MAX_HELLO_BYTES,
} from "./handshake.ts";

/** For the first line, in milliseconds: a program writes it at once. */
const HELLO_MS = 5000;
/** A program that takes nothing for this long is given up, in milliseconds. */
const STALL_MS = 10_000;
/** How often it shows, behind the end of the input, whether anybody still reads, in milliseconds. */
const ENDING_MS = 1000;

const NEWLINE = 0x0a;

/** What a control connection works with. */
export interface ControlConnectionOptions {
  readonly clock: Clock;
  readonly node: Node;
  /** The program's version. */
  readonly version: string;
  /** When the client started, by the clock's monotonic time. */
  readonly startedAt: number;
  /** Whether the client ends when it has done its own work. */
  readonly isOneShot: boolean;
  readonly stream: ControlStream;
  readonly secrets?: Secrets;
  /** Asks to end; what is being sent still gets five seconds. */
  readonly signal: AbortSignal;
  /** Called once the other side has shown what it must: why it is refused still, or `undefined`. */
  readonly admit: () => string | undefined;
  /** Called when the other side did something wrong. */
  readonly onRefusal: (cause: string) => void;
}

/**
 * Serves one program that has connected: shakes hands, then runs the JSON interface until the
 * program leaves, says `quit`, or is given up. Closes the stream.
 */
export async function serveControlConnection(options: ControlConnectionOptions): Promise<void> {
  const { stream } = options;
  try {
    const hello = await readHello(options);
    if (hello === undefined) return;
    const refusal = judge(hello.line, options);
    if (refusal !== undefined) {
      if (refusal.cause !== undefined) options.onRefusal(refusal.cause);
      await writeAll(options, refusal.reply);
      return;
    }
    await converse(options, hello.rest);
  } catch (error) {
    options.onRefusal(`connection that broke (${messageOf(error)})`);
  } finally {
    stream.close();
  }
}

/** The first line, and what came behind it; `undefined` where none came. */
async function readHello(
  { clock, stream, onRefusal }: ControlConnectionOptions,
): Promise<{ line: string | undefined; rest: Uint8Array } | undefined> {
  const buffer = new Uint8Array(MAX_HELLO_BYTES);
  let length = 0;
  const cancel = clock.after(HELLO_MS, () => {
    onRefusal("connection without a first line");
    stream.close();
  });
  try {
    while (length < buffer.length) {
      const count = await stream.read(buffer.subarray(length));
      if (count === null) return undefined;
      const end = buffer.subarray(0, length + count).indexOf(NEWLINE, length);
      length += count;
      if (end < 0) continue;
      return { line: decodeUtf8(buffer.subarray(0, end)), rest: buffer.slice(end + 1, length) };
    }
    return { line: undefined, rest: new Uint8Array(0) };
  } catch {
    return undefined; // it has left, or was given up
  } finally {
    cancel();
  }
}

/** Why somebody is refused, and what he is told. */
function judge(
  line: string | undefined,
  { version, secrets, admit, ...options }: ControlConnectionOptions,
): { cause?: string; reply: string } | undefined {
  const hello = line === undefined ? undefined : decodeHello(line);
  if (hello === undefined) {
    const reply = 'Cannot read the first line: it must be an object with "control", a number, ' +
      `in at most ${MAX_HELLO_BYTES} bytes`;
    return { cause: "first line that is none", reply: encodeRefusal(reply) };
  }
  if (secrets !== undefined && !isSame(hello.token, secrets.token)) {
    const reply = "Cannot talk to a program that does not know the token in control.json";
    return { cause: "wrong token", reply: encodeRefusal(reply) };
  }
  if (hello.control !== CONTROL_VERSION) {
    // It finds out by itself from our version, and knows best what to say.
    return {
      cause: "command of another version",
      reply: welcome({ version, secrets, ...options }),
    };
  }
  const problem = admit();
  // Nothing for the log: it waits for its turn, and asks again.
  return problem === undefined ? undefined : { reply: encodeRefusal(problem, "busy") };
}

function welcome(
  { version, clock, startedAt, isOneShot, secrets, node }: Pick<
    ControlConnectionOptions,
    "version" | "clock" | "startedAt" | "isOneShot" | "secrets" | "node"
  >,
): string {
  const ageMs = clock.monotonic() - startedAt;
  const answer = secrets?.answer;
  const { queuesPlain } = node;
  return encodeWelcome({
    ...{ control: CONTROL_VERSION, version, ageMs, isOneShot, queuesPlain, answer },
  });
}

async function converse(options: ControlConnectionOptions, rest: Uint8Array): Promise<void> {
  const { clock, node, version, stream, signal, onRefusal } = options;
  const events = node.watch(() => {
    onRefusal("connection that does not read");
    stream.close();
  });
  let cancelEnding = () => {};
  try {
    const output = new Output((bytes) => writeSome(options, bytes));
    // Who has left looks like who only has nothing more to say, until something is written to it.
    const tellEnding = () => {
      output.push(encodeEnding());
      cancelEnding = clock.after(ENDING_MS, tellEnding);
    };
    output.push(welcome(options));
    let prefix = rest;
    const take = async (buffer: Uint8Array) => {
      if (prefix.length === 0) return await stream.read(buffer);
      const part = prefix.subarray(0, buffer.length);
      buffer.set(part);
      prefix = prefix.subarray(part.length);
      return part.length;
    };
    let commands = 0;
    const read = async (buffer: Uint8Array) => {
      const count = await take(buffer);
      if (count === null) tellEnding();
      // The interface takes nothing any more that comes after the signal.
      if (count !== null && !signal.aborted) {
        for (const byte of buffer.subarray(0, count)) if (byte === NEWLINE) commands++;
      }
      return count;
    };
    await runJsonInterface({ clock, node, version, events, read, output, signal });
    if (!signal.aborted) return;
    output.push(encodeEnd(commands));
    await output.finish(clock, signal);
  } finally {
    cancelEnding();
    await events.return?.();
  }
}

/** Writes, and gives a program up that takes nothing. */
async function writeSome(
  { clock, stream, onRefusal }: ControlConnectionOptions,
  bytes: Uint8Array,
): Promise<number> {
  const cancel = clock.after(STALL_MS, () => {
    onRefusal("connection that does not read");
    stream.close();
  });
  try {
    return await stream.write(bytes);
  } finally {
    cancel();
  }
}

async function writeAll(options: ControlConnectionOptions, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await writeSome(options, bytes.subarray(at));
}
