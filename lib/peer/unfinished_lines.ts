import type { Refusals } from "../base/refusals.ts";
import { formatAddress, type SocketAddress } from "../wire/address.ts";

/** Bytes of unfinished lines that all connections and sessions may hold together. */
const MAX_UNFINISHED_BYTES = 32 * 1024 * 1024;

/** What can hold a line that has begun and not ended. */
export interface LineHolder {
  readonly remote: SocketAddress;
  /** Ends it; it tells that it holds nothing any more. */
  close(cause: string): void;
}

/** Bounds what lines hold that have begun and not ended, whoever reads them. */
export class UnfinishedLines {
  readonly #bytes = new Map<LineHolder, number>();
  #total = 0;

  constructor(private readonly refusals: Refusals) {}

  /** How many bytes are held together. */
  get total(): number {
    return this.#total;
  }

  /** Takes how many bytes a holder has now; may end holders, this one included, to make room. */
  set(holder: LineHolder, bytes: number): void {
    this.#total += bytes - (this.#bytes.get(holder) ?? 0);
    if (bytes > 0) this.#bytes.set(holder, bytes);
    else this.#bytes.delete(holder);
    while (this.#total > MAX_UNFINISHED_BYTES) this.#endGreediest();
  }

  /** Ends the longest line of the host that holds most. */
  #endGreediest(): void {
    const ofHosts = new Map<string, number>();
    for (const [{ remote: { hostname } }, bytes] of this.#bytes) {
      ofHosts.set(hostname, (ofHosts.get(hostname) ?? 0) + bytes);
    }
    const [host] = [...ofHosts].reduce((most, next) => next[1] > most[1] ? next : most);
    const [longest] = [...this.#bytes].filter(([{ remote }]) => remote.hostname === host)
      .reduce((most, next) => next[1] > most[1] ? next : most);
    const cause =
      `unfinished lines above the limit of ${MAX_UNFINISHED_BYTES} bytes of all connections`;
    this.refusals.add(cause, () => formatAddress(longest.remote));
    this.set(longest, 0);
    longest.close(cause);
  }
}
