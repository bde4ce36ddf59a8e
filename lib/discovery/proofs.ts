import type { PeerId } from "../wire/peer_id.ts";
import type { Entry, KnownAddress } from "./entry.ts";

/** Ids whose proof is remembered, the latest ones: as many as there can be sessions. */
const MAX_PROOFS = 1024;

/**
 * Which run of each id proved it last, and at which host. An announce is only a claim, of its
 * `instance` as well; so a proof speaks for the addresses of that run at that host and no others.
 */
export class Proofs {
  readonly #byId = new Map<PeerId, { readonly instance: string; readonly hostname: string }>();

  /** Takes a proof in place of the one that the id had. */
  add(id: PeerId, instance: string, hostname: string): void {
    this.#byId.delete(id);
    this.#byId.set(id, { instance, hostname });
    if (this.#byId.size > MAX_PROOFS) this.#byId.delete(this.#byId.keys().next().value!);
  }

  /** Whether an address of an entry is that of a proof. */
  cover({ id }: Entry, { run, address: { hostname } }: KnownAddress): boolean {
    const proof = id === undefined ? undefined : this.#byId.get(id);
    return proof !== undefined && proof.instance === run && proof.hostname === hostname;
  }
}
