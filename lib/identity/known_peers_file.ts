import { ParlanceError } from "../errors.ts";
import { isNickname } from "../wire/nickname.ts";
import { isPeerId, type PeerId } from "../wire/peer_id.ts";

/** Somebody who was met. */
export interface KnownPeer {
  readonly id: PeerId;
  /** What this id is known as; missing where another id took the nickname over, or none was told. */
  readonly nickname?: string;
  /** Seconds since the Unix epoch. */
  readonly firstSeen: number;
  /** Seconds since the Unix epoch. */
  readonly lastSeen: number;
  /** Whether the user has compared the safety number. */
  readonly verified: boolean;
  readonly blocked: boolean;
  /** Whether the user has turned to this peer: has sent to it, or given it the nickname. */
  readonly addressed?: true;
}

/** Most peers that are remembered. */
export const MAX_KNOWN_PEERS = 10_000;
/** Largest file, in bytes: as many records at their longest have 3 MB. */
export const MAX_KNOWN_PEERS_BYTES = 4 * 2 ** 20;

const FORMAT = 1;

/** Writes the content of `peers.json`. */
export function formatKnownPeers(peers: Iterable<KnownPeer>): string {
  const lines = [...peers].map((peer) => `    ${JSON.stringify(peer)}`);
  const list = lines.length === 0 ? "[]" : `[\n${lines.join(",\n")}\n  ]`;
  return `{\n  "format": ${FORMAT},\n  "peers": ${list}\n}\n`;
}

/**
 * Reads the content of `peers.json`. Nothing of a damaged file is used: half of the user's trust
 * decisions would look like all of them.
 *
 * @param path For the messages.
 * @throws {ParlanceError} The text is not what {@linkcode formatKnownPeers} writes.
 */
export function parseKnownPeers(text: string, path: string): KnownPeer[] {
  const damaged = (why: string, cause?: unknown) =>
    new ParlanceError(
      `Cannot read the known peers in ${path}: ${why}; restore the file from a backup, or move ` +
        "it away to start with no known peers, which forgets whom you have verified and blocked",
      { cause },
    );
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    throw damaged("it is not JSON", error);
  }
  if (!isObject(file) || !Number.isSafeInteger(file.format) || !Array.isArray(file.peers)) {
    throw damaged("it is not a list of known peers");
  }
  if (file.format !== FORMAT) {
    throw damaged(`it has format ${file.format}, and this program knows ${FORMAT}`);
  }
  if (file.peers.length > MAX_KNOWN_PEERS) {
    throw damaged(`it has more than ${MAX_KNOWN_PEERS} peers`);
  }
  const seen = new Set<string>();
  return file.peers.map((value, at) => {
    const peer = knownPeer(value);
    if (peer === undefined) throw damaged(`peer ${at + 1} is broken`);
    const { id, nickname } = peer;
    const again = seen.has(`id ${id}`) || nickname !== undefined && seen.has(`name ${nickname}`);
    if (again) throw damaged(`peer ${at + 1} has the id or the nickname of an earlier one`);
    seen.add(`id ${id}`).add(`name ${nickname ?? ""}`);
    return peer;
  });
}

function knownPeer(value: unknown): KnownPeer | undefined {
  if (!isObject(value)) return undefined;
  const { id, nickname, firstSeen, lastSeen, verified, blocked, addressed } = value;
  if (!isPeerId(id) || !isSeconds(firstSeen) || !isSeconds(lastSeen)) return undefined;
  if (typeof verified !== "boolean" || typeof blocked !== "boolean") return undefined;
  if (addressed !== undefined && addressed !== true) return undefined;
  const mark: Pick<KnownPeer, "addressed"> = addressed === true ? { addressed } : {};
  const rest = { firstSeen, lastSeen, verified, blocked, ...mark };
  if (nickname === undefined) return { id, ...rest };
  return isNickname(nickname) ? { id, nickname, ...rest } : undefined;
}

function isSeconds(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
