import type { Peer } from "../discovery/peer.ts";
import { LimitError, ParlanceError } from "../errors.ts";
import { OutboundLink, type OutboundOptions } from "./outbound_link.ts";

export type { OutboundOptions } from "./outbound_link.ts";

/** Peers to which connections may be open at the same time; the longest idle one makes room. */
const MAX_LINKS = 512;

/** Sends lines to peers, over one connection to each that stays open while it is used. */
export class Outbound implements AsyncDisposable {
  readonly #links = new Map<number, OutboundLink>();
  #closed = false;

  constructor(private readonly options: OutboundOptions) {}

  /**
   * Sends one line; lines to one peer go out in the order of the calls.
   *
   * @param line With its newline.
   * @returns Resolves when the network has taken the whole line; a version 1 peer never tells more.
   * @throws {ConnectError} When no address of the peer accepts a connection, or it broke twice.
   * @throws {LimitError} When too much is waiting for this peer already.
   * @throws {ParlanceError} When sending has ended.
   */
  send(peer: Peer, line: string): Promise<void> {
    if (this.#closed) {
      return Promise.reject(
        new ParlanceError(`Cannot send to ${JSON.stringify(peer.label)}: sending has ended`),
      );
    }
    let link = this.#links.get(peer.key);
    if (link === undefined) {
      if (this.#links.size >= MAX_LINKS && !this.#closeIdlest()) {
        return Promise.reject(
          new LimitError(
            `Cannot send to ${JSON.stringify(peer.label)}: messages to ${MAX_LINKS} other peers ` +
              "are still on their way; try again later",
          ),
        );
      }
      link = new OutboundLink(this.options, () => {
        if (this.#links.get(peer.key) === link) this.#links.delete(peer.key);
      });
      this.#links.set(peer.key, link);
    }
    return link.send(peer, line);
  }

  /** Closes the connection to a peer that is gone, unless something is still being sent on it. */
  forget(key: number): void {
    const link = this.#links.get(key);
    if (link?.idleSince !== undefined) link.close();
  }

  /** Closes all connections; what was not handed to the network by then is rejected. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#links.values()].map((link) => link.close()));
  }

  #closeIdlest(): boolean {
    let idlest: OutboundLink | undefined;
    for (const link of this.#links.values()) {
      if (link.idleSince === undefined) continue;
      if (idlest === undefined || link.idleSince < idlest.idleSince!) idlest = link;
    }
    idlest?.close();
    return idlest !== undefined;
  }
}
