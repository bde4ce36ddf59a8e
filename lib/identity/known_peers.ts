import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { TokenBucket } from "../base/token_bucket.ts";
import { InvalidInputError, LimitError, messageOf, ParlanceError } from "../errors.ts";
import { nicknameProblem } from "../wire/nickname.ts";
import type { PeerId } from "../wire/peer_id.ts";
import { readProfileFile, writeAtomically } from "./files.ts";
import {
  formatKnownPeers,
  type KnownPeer,
  MAX_KNOWN_PEERS,
  MAX_KNOWN_PEERS_BYTES,
  parseKnownPeers,
} from "./known_peers_file.ts";

export type { KnownPeer } from "./known_peers_file.ts";

/**
 * What a nickname together with an id means to this user: `new`, neither was met; `known`, they
 * were remembered at first contact; `verified`, the user compared the safety number; `changed`, the
 * nickname belongs to another id; `blocked`, the user wants nothing of this id.
 */
export type Trust = "new" | "known" | "verified" | "changed" | "blocked";

/** What {@linkcode KnownPeers.remember} found. */
export interface Remembered {
  /** As it was before: `new` at the first contact. */
  readonly trust: Trust;
  /** The nickname that this id had until now, where it has taken a new one. */
  readonly formerNickname?: string;
}

const FILE = "peers.json";
/** Between two writes of the file. */
const WRITE_INTERVAL_MS = 1000;
/** A failed write is tried again after twice the time each, up to this, in milliseconds. */
const MAX_RETRY_MS = 60_000;
/** Whoever was met over a longer time goes after those who were not. */
const ACQUAINTANCE_S = 24 * 3600;
/** Of the others goes first who was not seen for so long. */
const EXPIRY_S = 30 * 24 * 3600;
/** New peers of one host that are remembered, and at once: a flood takes days, not a second. */
const NEW_PER_HOST = { perSecond: 1 / 60, burst: 256 };
/** Hosts whose new peers are counted. */
const MAX_HOSTS = 1024;

/** What {@linkcode KnownPeers.open} takes. */
export interface KnownPeersOptions {
  /** Of an open profile, whose lock makes this the file's only writer. */
  readonly directory: string;
  readonly clock: Pick<Clock, "now" | "monotonic" | "after">;
  readonly log: Log;
  /** Most peers to remember; smaller in tests. */
  readonly limit?: number;
}

/**
 * Who was met, under which nickname, and what the user thinks of them: trust on first use. A
 * nickname stands for at most one id, and an id has at most one nickname; both are compared as
 * exact strings.
 *
 * Changes reach the disk within a second, or when this is disposed of. A failed write is logged and
 * tried again after a second.
 */
export class KnownPeers implements AsyncDisposable {
  readonly #path: string;
  readonly #clock: KnownPeersOptions["clock"];
  readonly #log: Log;
  readonly #limit: number;
  readonly #byId = new Map<PeerId, KnownPeer>();
  readonly #byNickname = new Map<string, PeerId>();
  readonly #newOfHost = new Map<string, TokenBucket>();
  #changed = false;
  #writtenAt = -Infinity;
  #cancelWrite: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failure: unknown;
  #waitMs = WRITE_INTERVAL_MS;
  #disposed = false;
  #isNew = false;

  private constructor(options: KnownPeersOptions) {
    this.#path = `${options.directory}/${FILE}`;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#limit = options.limit ?? MAX_KNOWN_PEERS;
  }

  /**
   * Reads the known peers of a profile; there are none where there is no file.
   *
   * @throws {ParlanceError} The file is damaged; it is left as it is.
   */
  static async open(options: KnownPeersOptions): Promise<KnownPeers> {
    const known = new KnownPeers(options);
    const text = await readProfileFile(known.#path, MAX_KNOWN_PEERS_BYTES);
    known.#isNew = text === undefined;
    if (text === undefined) return known;
    for (const peer of parseKnownPeers(text, known.#path)) {
      known.#byId.set(peer.id, peer);
      if (peer.nickname !== undefined) known.#byNickname.set(peer.nickname, peer.id);
    }
    return known;
  }

  /** Whether there was no file: as in a profile that nobody has met, or where it was lost. */
  get isNew(): boolean {
    return this.#isNew;
  }

  byId(id: PeerId): KnownPeer | undefined {
    return this.#byId.get(id);
  }

  byNickname(nickname: string): KnownPeer | undefined {
    const id = this.#byNickname.get(nickname);
    return id === undefined ? undefined : this.#byId.get(id);
  }

  /** What is known of this id under this nickname; changes nothing. */
  assess(nickname: string, id: PeerId): Trust {
    const peer = this.#byId.get(id);
    if (peer?.blocked) return "blocked";
    const holder = this.#byNickname.get(nickname);
    if (holder !== undefined && holder !== id) return "changed";
    // Under another nickname it is nobody yet: only the user gives a known peer a new name.
    if (peer === undefined || (peer.nickname ?? nickname) !== nickname) return "new";
    return peer.verified ? "verified" : "known";
  }

  /**
   * Remembers a contact. To be called only for a peer that has *proved* its id: a mere claim would
   * occupy a nickname. Nothing changes where the trust is `changed` or `blocked`, besides when an
   * id was last seen. A known peer under another nickname keeps the one that it is known by, until
   * the user gives it the new one by {@linkcode accept}.
   *
   * Where no record can make room for a new one, or too many new ones came from the same host, the
   * contact is not remembered.
   *
   * @param isOwn Whether the nickname is the user's own, which is bound to nobody else: the id is
   *   remembered without it.
   * @param host Where it was met.
   */
  remember(nickname: string, id: PeerId, isOwn = false, host?: string): Remembered {
    requireNickname(nickname);
    const bound = isOwn ? {} : { nickname };
    const trust = this.assess(nickname, id);
    const peer = this.#byId.get(id);
    const lastSeen = this.#seconds();
    if (peer === undefined) {
      if (trust === "changed") return { trust };
      if (host !== undefined && !this.#mayBeNew(host)) {
        this.#log.debug(`New peers of ${host} are not remembered: there are too many`);
      } else if (this.#makeRoom()) this.#put({ ...this.#newRecord(id), ...bound });
      else this.#log.warn("No room for another known peer: the user has turned to all of them");
      return { trust };
    }
    if (trust === "changed" || trust === "blocked" || peer.nickname === nickname) {
      if (peer.lastSeen !== lastSeen) this.#put({ ...peer, lastSeen });
      return { trust };
    }
    if (peer.nickname !== undefined) {
      // Giving the former nickname free would let anybody take it, in plain text, too.
      this.#put({ ...peer, lastSeen });
      return { trust, formerNickname: peer.nickname };
    }
    this.#put({ ...peer, ...bound, lastSeen });
    return { trust };
  }

  /**
   * The user's answer to a changed identity: from now on the nickname stands for this id. Whoever
   * had the nickname stays known by the id alone.
   *
   * @throws {LimitError} Nobody can make room for a record.
   */
  accept(nickname: string, id: PeerId): void {
    requireNickname(nickname);
    const peer = this.#required(id);
    const former = this.byNickname(nickname);
    if (former !== undefined && former.id !== id) {
      const { nickname: _, ...rest } = former;
      this.#put(rest);
    }
    this.#put({ ...peer, nickname, addressed: true });
  }

  /** Records that the user has turned to an id, where it is known: strangers drive it out no more. */
  address(id: PeerId): void {
    const peer = this.#byId.get(id);
    if (peer !== undefined && !peer.addressed) this.#put({ ...peer, addressed: true });
  }

  /** Whether the user has turned to an id, or compared its safety number. */
  isAddressed(id: PeerId): boolean {
    const peer = this.#byId.get(id);
    return peer !== undefined && (peer.addressed || peer.verified);
  }

  /** Those ids that begin so and that the user has turned to. */
  addressedFrom(start: string): KnownPeer[] {
    return [...this.#byId.values()].filter((peer) =>
      peer.id.startsWith(start) && this.isAddressed(peer.id)
    );
  }

  /**
   * Records that the safety number of an id was compared, met or not: whoever has its key.
   *
   * @throws {LimitError} Nobody can make room for a record.
   */
  verify(id: PeerId): void {
    this.#put({ ...this.#required(id), verified: true });
  }

  /**
   * Blocks an id, met or not.
   *
   * @throws {LimitError} Nobody can make room for a record.
   */
  block(id: PeerId): void {
    this.#put({ ...this.#required(id), blocked: true });
  }

  /** Says whether the id is known at all. */
  unblock(id: PeerId): boolean {
    const peer = this.#byId.get(id);
    if (peer === undefined) return false;
    this.#put({ ...peer, blocked: false });
    return true;
  }

  /**
   * Forgets a peer with all that was decided about it, a block included.
   *
   * @param target A nickname or an id.
   * @returns What was forgotten, or `undefined` where nobody is known by that.
   */
  forget(target: string): KnownPeer | undefined {
    const peer = this.#byId.get(target as PeerId) ?? this.byNickname(target);
    if (peer === undefined) return undefined;
    this.#remove(peer);
    return peer;
  }

  /** Writes what has changed and waits for it; failures are logged. */
  async flush(): Promise<void> {
    this.#cancelWrite?.();
    this.#cancelWrite = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
  }

  /**
   * Writes what has changed, for the user's own decisions, which must survive a crash.
   *
   * @throws {ParlanceError} It could not be written; it is tried again.
   */
  async save(): Promise<void> {
    await this.flush();
    if (!this.#changed || this.#failure === undefined) return;
    throw new ParlanceError(
      `Cannot keep this on the disk: ${messageOf(this.#failure)}; it holds until the program ` +
        `ends, or until ${this.#path} can be written`,
      { cause: this.#failure },
    );
  }

  /** Writes what has changed. Later changes stay in memory. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.flush();
  }

  /** The record of an id, or a new one that there is room for. */
  #required(id: PeerId): KnownPeer {
    const peer = this.#byId.get(id);
    if (peer !== undefined) return peer;
    if (!this.#makeRoom()) {
      throw new LimitError(
        `Cannot remember another peer: you have turned to ${this.#limit} already; ` +
          "/forget some of them",
      );
    }
    return this.#newRecord(id);
  }

  #newRecord(id: PeerId): KnownPeer {
    const now = this.#seconds();
    return { id, firstSeen: now, lastSeen: now, verified: false, blocked: false };
  }

  #seconds(): number {
    return Math.max(0, Math.floor(this.#clock.now() / 1000));
  }

  #put(peer: KnownPeer): void {
    const former = this.#byId.get(peer.id)?.nickname;
    if (former !== undefined && this.#byNickname.get(former) === peer.id) {
      this.#byNickname.delete(former);
    }
    this.#byId.set(peer.id, peer);
    if (peer.nickname !== undefined) this.#byNickname.set(peer.nickname, peer.id);
    this.#schedule();
  }

  #remove(peer: KnownPeer): void {
    this.#byId.delete(peer.id);
    if (peer.nickname !== undefined) this.#byNickname.delete(peer.nickname);
    this.#schedule();
  }

  /**
   * Sees to room for one more record. Those that the user has turned to or decided about stay. Of
   * the others, who was met within one day only goes first: those who were not seen for a month
   * since, so that no flood stays for ever, then the latest, so that a flood drives out itself.
   * Then goes who was not seen for the longest time.
   */
  #makeRoom(): boolean {
    if (this.#byId.size < this.#limit) return true;
    const expired = this.#seconds() - EXPIRY_S;
    let oldest: KnownPeer | undefined;
    for (const peer of this.#byId.values()) {
      if (peer.addressed || peer.verified || peer.blocked) continue;
      if (oldest === undefined || goesBefore(peer, oldest, expired)) oldest = peer;
    }
    if (oldest === undefined) return false;
    this.#remove(oldest);
    return true;
  }

  #mayBeNew(host: string): boolean {
    let bucket = this.#newOfHost.get(host);
    if (bucket === undefined) {
      const { perSecond, burst } = NEW_PER_HOST;
      bucket = new TokenBucket(this.#clock, perSecond, burst);
      if (this.#newOfHost.size >= MAX_HOSTS) {
        this.#newOfHost.delete(this.#newOfHost.keys().next().value!);
      }
      this.#newOfHost.set(host, bucket);
    }
    return bucket.take();
  }

  #schedule(): void {
    this.#changed = true;
    if (this.#cancelWrite !== undefined || this.#disposed) return;
    const wait = this.#writtenAt + this.#waitMs - this.#clock.monotonic();
    this.#cancelWrite = this.#clock.after(Math.max(0, wait), () => void this.flush());
  }

  async #write(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    this.#writtenAt = this.#clock.monotonic();
    try {
      const text = formatKnownPeers(this.#byId.values());
      await writeAtomically(this.#path, new TextEncoder().encode(text), 0o600);
      this.#failure = undefined;
      this.#waitMs = WRITE_INTERVAL_MS;
    } catch (error) {
      // Once for each cause: on a full disk every attempt fails.
      if (messageOf(error) !== messageOf(this.#failure)) {
        this.#log.error(`Cannot write the known peers to ${this.#path}: ${messageOf(error)}`);
      }
      this.#failure = error;
      this.#waitMs = Math.min(MAX_RETRY_MS, 2 * this.#waitMs);
      this.#schedule();
    }
  }
}

function goesBefore(a: KnownPeer, b: KnownPeer, expired: number): boolean {
  const [fleeting, other] = [a, b].map((peer) => peer.lastSeen - peer.firstSeen < ACQUAINTANCE_S);
  if (fleeting !== other) return fleeting;
  const isExpired = a.lastSeen < expired;
  if (fleeting && isExpired !== b.lastSeen < expired) return isExpired;
  // Of the fleeting ones the latest: who came before the flood is not a part of it.
  return fleeting ? a.firstSeen > b.firstSeen : a.lastSeen < b.lastSeen;
}

function requireNickname(nickname: string): void {
  const problem = nicknameProblem(nickname);
  if (problem === undefined) return;
  throw new InvalidInputError(
    `Cannot remember the nickname ${JSON.stringify(nickname)}: ${problem}`,
  );
}
