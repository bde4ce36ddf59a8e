import { isPort } from "./address.ts";
import { accepted, type Decoded, decodeObject, refused } from "./decoded.ts";
import { isNickname } from "./nickname.ts";
import { isPeerId, type PeerId } from "./peer_id.ts";
import { decodeUtf8 } from "./utf8.ts";

/** Multicast group of LAN discovery (protocol version 1, section 1). */
export const MULTICAST_GROUP = "239.255.255.250";
/** UDP port of LAN discovery, the same for all peers. */
export const MULTICAST_PORT = 6789;
/** Longest datagram that is read, in bytes; what peers send is a fortieth of it. */
export const MAX_DATAGRAM_BYTES = 8192;
/** The protocol version that this program announces. */
export const PROTOCOL_VERSION = 2;

/** "I am here": sent at start, then every few seconds. */
export interface Announce {
  readonly type: "announce";
  readonly nickname: string;
  /** Where the peer listens, at the datagram's source address; 1 to 65535. */
  readonly tcpPort: number;
  /** Protocol version; 1 where the datagram has none. */
  readonly version: number;
  /** 64 random bits of this run of the peer, in hexadecimal; from version 2 on. */
  readonly instance?: string;
  /** Whether answers are wanted, at the datagram's source. */
  readonly ask: boolean;
  /** Who the peer claims to be; only a session proves it. */
  readonly id?: PeerId;
}

/** "I am leaving": sent once, on exit. The original parses it and does not act on it. */
export interface Goodbye {
  readonly type: "goodbye";
  readonly nickname: string;
  readonly instance?: string;
  /** Who the peer claims to be. */
  readonly id?: PeerId;
}

/** What a discovery datagram can hold. */
export type Datagram = Announce | Goodbye;

const encoder = new TextEncoder();

/** Writes a datagram; fields that version 1 does not know come last and only where they say something. */
export function encodeDatagram(datagram: Datagram): Uint8Array<ArrayBuffer> {
  const { type, nickname, instance, id } = datagram;
  const fields = type === "goodbye" ? { type, nickname, instance, id } : {
    type,
    nickname,
    tcp_port: datagram.tcpPort,
    version: datagram.version > 1 ? datagram.version : undefined,
    instance,
    ask: datagram.ask ? true : undefined,
    id,
  };
  return encoder.encode(JSON.stringify(fields));
}

/** Reads a datagram of at most {@linkcode MAX_DATAGRAM_BYTES}. */
export function decodeDatagram(bytes: Uint8Array): Decoded<Datagram> {
  if (bytes.length > MAX_DATAGRAM_BYTES) {
    return refused(`datagram above the limit of ${MAX_DATAGRAM_BYTES} bytes`);
  }
  const text = decodeUtf8(bytes);
  if (text === undefined) return refused("datagram is not UTF-8");
  const object = decodeObject(text);
  if (!object.ok) return refused(`datagram is ${object.cause}`);
  const { type, nickname, tcp_port: tcpPort, version, instance, ask, id } = object.value;
  if (type !== "announce" && type !== "goodbye") return refused("datagram of an unknown type");
  if (!isNickname(nickname)) return refused("datagram without a valid nickname");
  if (instance !== undefined && !isInstance(instance)) {
    return refused("datagram with an invalid instance");
  }
  if (id !== undefined && !isPeerId(id)) return refused("datagram with an invalid id");
  if (type === "goodbye") return accepted({ type, nickname, instance, id });
  if (!isPort(tcpPort)) return refused("announce without a valid TCP port");
  if (version !== undefined && !isVersion(version)) {
    return refused("announce with an invalid version");
  }
  if (ask !== undefined && typeof ask !== "boolean") {
    return refused("announce with an invalid wish for answers");
  }
  return accepted({
    type,
    nickname,
    tcpPort,
    version: version ?? 1,
    instance,
    ask: ask ?? false,
    id,
  });
}

/** Whether `value` is an instance: 16 lower-case hexadecimal digits. */
export function isInstance(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{16}$/.test(value);
}

/** Whether `value` is a protocol version: a small positive integer. */
export function isVersion(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65535;
}
