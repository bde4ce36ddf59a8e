import { ParlanceError } from "../errors.ts";
import type { PeerTrust, Via } from "../node.ts";
import { plainStyle } from "../ui/style.ts";
import { type PeerEntry, peerListText } from "../ui/text.ts";
import {
  attachOrLeave,
  type CommandEnvironment,
  INTERRUPTED,
  OK,
  showUnasked,
} from "./environment.ts";
import type { Line } from "./link.ts";

/** On a LAN a version 2 peer has answered by then, in milliseconds after the start. */
const LAN_MS = 500;
/** Through a bootstrap server it takes a connection and a list. */
const INTERNET_MS = 2000;
/** For the answer of a client, in milliseconds. */
const ANSWER_MS = 10_000;

/** `parlance peers`. */
export interface PeersCommand {
  readonly name: "peers";
  /** Whether to print the object of the JSON interface. */
  readonly json: boolean;
}

/**
 * Prints who is here.
 *
 * @returns The exit status.
 * @throws {ParlanceError} The client does not tell.
 */
export async function runPeers(
  { json }: PeersCommand,
  environment: CommandEnvironment,
): Promise<number> {
  const { clock, signal, mode, output } = environment;
  const giveUpAt = clock.monotonic() + ANSWER_MS;
  while (true) {
    await using link = await attachOrLeave(environment);
    if (link === undefined) return INTERRUPTED;
    const cut = () => link.cut();
    const late = clock.after(ANSWER_MS, cut);
    signal.addEventListener("abort", cut);
    try {
      const waitMs = (mode === "local" ? LAN_MS : INTERNET_MS) - link.ageMs;
      if (waitMs > 0) await clock.sleep(waitMs, signal).catch(() => {});
      if (signal.aborted) return INTERRUPTED;
      link.command({ command: "peers", ref: 1 });
      let nickname: unknown;
      for await (const event of link.events) {
        if (event.event === "ready") nickname = event.nickname;
        if (event.event !== "peers" || event.ref !== 1) {
          showUnasked(event, link, environment);
          continue;
        }
        const { ref: _, ...answer } = event;
        output.push(
          json
            ? `${JSON.stringify(answer)}\n`
            : `${peerListText(entriesOf(answer, nickname), plainStyle)}\n`,
        );
        return OK;
      }
    } finally {
      late();
      signal.removeEventListener("abort", cut);
    }
    if (signal.aborted) return INTERRUPTED;
    // A client that has ended between: the next attempt finds another, or is it.
    if (clock.monotonic() < giveUpAt) continue;
    throw new ParlanceError(
      `Cannot list the peers: the running client has not answered within ${ANSWER_MS / 1000} s; ` +
        "try again",
    );
  }
}

function entriesOf({ peers }: Line, own: unknown): PeerEntry[] {
  return (peers as readonly Line[]).map(({ nickname, label, addresses, trust }) => ({
    label: String(label),
    addresses: (addresses as readonly Line[]).map(({ address, via }) => ({
      address: String(address),
      via: via as Via,
    })),
    trust: trust as PeerTrust,
    isNamesake: nickname === own,
  }));
}
