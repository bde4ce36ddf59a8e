import type { Clock } from "../base/clock.ts";
import { ParlanceError } from "../errors.ts";
import { ProfileInUseError } from "../identity/profile.ts";
import { type ControlEndpoint, type Secrets, writeAll } from "./endpoint.ts";
import { CONTROL_VERSION, decodeWelcome, encodeHello, isSame } from "./handshake.ts";
import { type Line, Link, readObjects } from "./link.ts";

/** Between two attempts, in milliseconds: a client that starts or ends takes a moment. */
const RETRY_MS = 50;
/** The same in the long run: whoever serves many commands is not to be kept busy by refusing more. */
const MAX_RETRY_MS = 400;
/** For the client's answer, in milliseconds: it may be busy. */
const ANSWER_MS = 5000;
/** The same where the time for all attempts is nearly over, in milliseconds. */
const LEAST_ANSWER_MS = 1000;

/** What is needed to find a client, or to be one. */
export interface AttachOptions<Own> {
  readonly clock: Clock;
  readonly endpoint: ControlEndpoint;
  /** The profile's. */
  readonly directory: string;
  /** The program's version. */
  readonly version: string;
  /**
   * Opens the profile, and starts a node on it where one is needed.
   *
   * @throws {ProfileInUseError} Another process uses the profile.
   */
  readonly host: () => Promise<Own>;
  /** How long to try while the profile is in use and nobody answers, in milliseconds. */
  readonly limitMs: number;
  /** Ends the attempts by rejecting with its reason. */
  readonly signal: AbortSignal;
}

/**
 * Finds the client that runs on a profile, or becomes it.
 *
 * The profile's lock decides: whoever gets it is the client, and only while somebody else has it
 * there is a socket worth connecting to.
 *
 * @throws {ParlanceError} The profile cannot be used, or who uses it does not answer.
 */
export async function attach<Own>(options: AttachOptions<Own>): Promise<Link | Own> {
  const { clock, host, limitMs, signal } = options;
  const giveUpAt = clock.monotonic() + limitMs;
  let retryMs = RETRY_MS;
  /** What it has said last. */
  let problem: ParlanceError | undefined;
  while (true) {
    signal.throwIfAborted();
    let inUse: ProfileInUseError;
    try {
      return await host();
    } catch (error) {
      if (!(error instanceof ProfileInUseError)) throw error;
      inUse = error;
    }
    const answerMs = Math.max(giveUpAt - clock.monotonic(), LEAST_ANSWER_MS);
    const link = await connect(options, inUse, Math.min(ANSWER_MS, answerMs));
    if (link instanceof Link) return link;
    problem = link ?? problem;
    const leftMs = giveUpAt - clock.monotonic();
    if (leftMs <= 0) {
      if (problem !== undefined) throw problem;
      throw new ParlanceError(
        `Cannot reach the client on the profile in ${options.directory}, ${inUse.user}: it takes ` +
          "no commands; if it is no older version, its log tells why, or it is just ending: " +
          "try again, or choose another profile with --profile NAME",
      );
    }
    await clock.sleep(Math.min(retryMs, leftMs), signal);
    // Only one that answers is sure to be there for longer.
    if (link !== undefined) retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
  }
}

/**
 * Shakes hands; `undefined` where nobody listens, or who listens is just ending, and an error where
 * another attempt may succeed.
 */
async function connect(
  { clock, endpoint, directory, version, signal }: Omit<AttachOptions<unknown>, "host">,
  { user }: ProfileInUseError,
  answerMs: number,
): Promise<Link | ParlanceError | undefined> {
  const dialled = await endpoint.dial(directory);
  if (dialled === undefined) return undefined;
  const { stream, secrets } = dialled;
  const objects = readObjects((buffer) => stream.read(buffer));
  let isLate = false;
  const late = clock.after(answerMs, () => {
    isLate = true;
    stream.close();
  });
  const leave = () => stream.close();
  signal.addEventListener("abort", leave, { once: true });
  let first;
  try {
    // Where it hangs up at once, it may have said why.
    await writeAll(stream, encodeHello(version, secrets)).catch(() => {});
    first = await objects.next();
  } catch {
    first = undefined; // it ended between
  } finally {
    late();
    signal.removeEventListener("abort", leave);
  }
  signal.throwIfAborted();
  if (isLate) {
    return new ParlanceError(
      `Cannot reach the client on the profile in ${directory}, ${user}: it does not answer within ` +
        `${Math.round(answerMs / 1000)} s; try again, or end it`,
    );
  }
  if (first === undefined || first.done) {
    stream.close();
    return undefined;
  }
  try {
    const understood = understand(first.value, version, user, secrets);
    if (understood instanceof ParlanceError) {
      stream.close();
      return understood;
    }
    const { ageMs, isOneShot, queuesPlain } = understood;
    return new Link({
      clock,
      objects,
      write: (bytes) => stream.write(bytes),
      cut: () => stream.close(),
      ageMs,
      isOwn: false,
      isOneShot,
      queuesPlain,
    });
  } catch (error) {
    stream.close();
    throw error;
  }
}

/** What the client is, or an error where another attempt may succeed. */
function understand(object: Line, version: string, user: string, secrets: Secrets | undefined) {
  const welcome = decodeWelcome(object);
  if (welcome === undefined || "refused" in welcome) {
    const why = welcome === undefined ? "it speaks another language" : welcome.refused;
    const problem = new ParlanceError(`Cannot go through the running client, ${user}: ${why}`);
    if (welcome?.isBusy) return problem;
    throw problem;
  }
  if (secrets !== undefined && !isSame(welcome.answer, secrets.answer)) {
    throw new ParlanceError(
      `Cannot go through the running client, ${user}: somebody else answers in its place; ` +
        "restart it",
    );
  }
  if (welcome.control !== CONTROL_VERSION) {
    throw new ParlanceError(
      `Cannot go through the running client, ${user}: it is Parlance ${welcome.version}, and ` +
        `this is ${version}, which speak differently; end it, or use the same version`,
    );
  }
  return welcome;
}
