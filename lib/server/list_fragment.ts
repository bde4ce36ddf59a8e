import type { ListedPeer } from "../wire/bootstrap.ts";

/** What the server knows of a peer when it registers. */
export type Registration = Omit<ListedPeer, "peer_id" | "last_seen">;

/**
 * A peer as `peer_list` shows it, cut before and after the digits of `last_seen`. Everything
 * beyond ASCII is escaped: one nickname with an emoji would otherwise make the engine keep the
 * whole list in two bytes per character, and convert all of it for everyone who asks.
 */
export function listFragment(peerId: string, registration: Registration): [string, string] {
  const { nickname, public_addr, local_addr, version, instance, id } = registration;
  const before = asciiJson({ peer_id: peerId, nickname, public_addr, local_addr });
  const after = JSON.stringify({ version, instance, id }); // ASCII by itself
  return [
    `${before.slice(0, -1)},"last_seen":`,
    after === "{}" ? "}" : `,${after.slice(1)}`,
  ];
}

function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
