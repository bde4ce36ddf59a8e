import { isInstance, isVersion } from "./announce.ts";
import { accepted, type Decoded, decodeObject, refused } from "./decoded.ts";
import { isTimestamp } from "./message.ts";
import { isNickname } from "./nickname.ts";
import { isPeerId, type PeerId } from "./peer_id.ts";

/**
 * The messages between a client and the bootstrap server: one JSON object per WebSocket text
 * frame (protocol version 1, section 3). Version 2 clients add `version`, `instance` and
 * `id` to `register`; servers that know them pass them on in `peer_list`.
 *
 * @module
 */

/** What a client sends. Field contents other than types are the server's to judge. */
export type ClientMessage =
  | {
    readonly type: "register";
    readonly nickname: string;
    /** `ip:port`; the port is where the client listens. */
    readonly local_addr: string;
    readonly version?: number;
    readonly instance?: string;
    /** Who the client claims to be. */
    readonly id?: PeerId;
  }
  | { readonly type: "list_peers" }
  | { readonly type: "heartbeat" }
  | { readonly type: "unregister" };

/** One registered peer as the server lists it. */
export interface ListedPeer {
  /** UUID version 4, made by the server for this registration. */
  readonly peer_id: string;
  readonly nickname: string;
  /** The address that the server saw, with the port of `local_addr`. */
  readonly public_addr: string;
  /** As the client gave it. */
  readonly local_addr: string;
  /** Unix time of the last sign of life, in whole seconds; 0 to 253402300799. */
  readonly last_seen: number;
  readonly version?: number;
  readonly instance?: string;
  /** Who the peer claims to be, not to be taken for `peer_id`; only a session proves it. */
  readonly id?: PeerId;
}

/** What a server sends. */
export type ServerMessage =
  | { readonly type: "registered"; readonly peer_id: string; readonly public_addr: string }
  | { readonly type: "peer_list"; readonly peers: readonly ListedPeer[] }
  | { readonly type: "error"; readonly message: string };

/** The text frame of a message. */
export function encodeFrame(message: ClientMessage | ServerMessage): string {
  return JSON.stringify(message);
}

/** Reads a client's frame. The cause of a refusal completes the error `Invalid message format: …`. */
export function decodeClientFrame(text: string): Decoded<ClientMessage> {
  const object = decodeObject(text);
  if (!object.ok) return object;
  const { type, nickname, local_addr, version, instance, id } = object.value;
  switch (type) {
    case "list_peers":
    case "heartbeat":
    case "unregister":
      return accepted({ type });
    case "register":
      if (typeof nickname !== "string") return refused('"nickname" must be a string');
      if (typeof local_addr !== "string") return refused('"local_addr" must be a string');
      if (version !== undefined && !isVersion(version)) {
        return refused('"version" must be an integer from 1 to 65535');
      }
      if (instance !== undefined && !isInstance(instance)) {
        return refused('"instance" must be 16 lower-case hexadecimal digits');
      }
      if (id !== undefined && !isPeerId(id)) {
        return refused('"id" must be a peer id in its canonical form');
      }
      return accepted({ type, nickname, local_addr, version, instance, id });
    case undefined:
      return refused('"type" is missing');
    default:
      return refused('"type" must be register, list_peers, heartbeat or unregister');
  }
}

/**
 * Reads a server's frame. Entries of a `peer_list` that are not peers are left out and counted in
 * `skipped`, so that one bad registration does not hide the others.
 *
 * @param maxPeers Entries beyond this many are left out, too.
 */
export function decodeServerFrame(
  text: string,
  maxPeers: number,
): Decoded<{ readonly message: ServerMessage; readonly skipped: number }> {
  const object = decodeObject(text);
  if (!object.ok) return refused(`frame is ${object.cause}`);
  const { type, peer_id, public_addr, peers, message } = object.value;
  switch (type) {
    case "registered":
      if (typeof peer_id !== "string" || typeof public_addr !== "string") {
        return refused("registered without peer_id and public_addr");
      }
      return accepted({ message: { type, peer_id, public_addr }, skipped: 0 });
    case "error":
      if (typeof message !== "string") return refused("error without a message");
      return accepted({ message: { type, message }, skipped: 0 });
    case "peer_list": {
      if (!Array.isArray(peers)) return refused("peer_list without peers");
      const valid = peers.slice(0, maxPeers).map(listedPeer).filter((peer) => peer !== undefined);
      return accepted({
        message: { type, peers: valid },
        skipped: peers.length - valid.length,
      });
    }
    default:
      return refused("frame of an unknown type");
  }
}

/** The known fields of an entry: what else a server put into it must not be kept for long. */
function listedPeer(value: unknown): ListedPeer | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { peer_id, nickname, public_addr, local_addr, last_seen, version, instance, id } =
    value as Record<string, unknown>;
  if (
    typeof peer_id !== "string" || !isNickname(nickname) || typeof public_addr !== "string" ||
    typeof local_addr !== "string" || !isTimestamp(last_seen) ||
    (version !== undefined && !isVersion(version)) ||
    (instance !== undefined && !isInstance(instance)) || (id !== undefined && !isPeerId(id))
  ) return undefined;
  return { peer_id, nickname, public_addr, local_addr, last_seen, version, instance, id };
}
