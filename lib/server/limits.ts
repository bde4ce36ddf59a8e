/**
 * What the bootstrap server lets one client, one address and all together take. Every field is an
 * option of the program; what exceeds one is refused, and costs nobody else anything.
 *
 * @module
 */

/** The limits; see {@linkcode DEFAULT_LIMITS} for what they are unless told otherwise. */
export interface ServerLimits {
  /** Connections at one time. */
  readonly connections: number;
  /** Connections at one time from one IPv4 address or one IPv6 /64 network. */
  readonly connectionsPerAddress: number;
  /** Registered peers. */
  readonly peers: number;
  /** Registrations that one connection holds at one time. */
  readonly peersPerConnection: number;
  /** Longest message from a client, in bytes of UTF-8. */
  readonly frameBytes: number;
  /** Messages per second that one connection may send in the long run. */
  readonly messagesPerSecond: number;
  /** Messages that one connection may send at once after a pause. */
  readonly messageBurst: number;
  /**
   * Bytes that may wait for one slow reader when the next answer is due; with more, the connection
   * is closed. What waits is at most this and one answer.
   */
  readonly bufferedBytes: number;
  /** Seconds after which a connection that sent no message is closed. */
  readonly idleSeconds: number;
  /** Longest nickname, in bytes of UTF-8; 1 to 32, which is the protocol's own limit. */
  readonly nicknameBytes: number;
  /** Longest `local_addr`, in characters. */
  readonly addressLength: number;
}

/** Roomy for people, narrow for floods: an office behind one address still fits. */
export const DEFAULT_LIMITS: ServerLimits = {
  connections: 10_000,
  connectionsPerAddress: 64,
  peers: 10_000,
  peersPerConnection: 4, // one, and what is left of a client that registers again
  frameBytes: 4096, // the longest sensible register has 250
  messagesPerSecond: 5, // a version 1 client sends 0.3
  messageBurst: 20,
  bufferedBytes: 1 << 20, // a list of 6,000 peers
  idleSeconds: 120, // a client sends a heartbeat every 10 s
  nicknameBytes: 32,
  addressLength: 128,
};
