import { isMisleading } from "../discovery/labels.ts";
import { printable, printableName } from "../base/printable.ts";
import type {
  BootstrapState,
  DownReason,
  Mode,
  Node,
  NodeEvent,
  Peer,
  PeerTrust,
  Via,
} from "../node.ts";
import { formatAddress } from "../wire/address.ts";
import { likelyColumns } from "./columns.ts";
import { quoteTarget } from "./commands.ts";
import { identityText, trustMark } from "./identity_text.ts";
import type { Style } from "./style.ts";

/**
 * What the interfaces for people say. Everything that comes from outside passes
 * {@linkcode printable} here, whatever becomes of the text afterwards.
 *
 * @module
 */

/** Lines that a message breaks into are moved to the right, so that none can pose as another. */
const CONTINUATION = "\n    ";
/** Lines of one message that are shown: more would only drive the conversation off the screen. */
const MAX_LINES = 200;

/** The greeting at the start. */
export function bannerText(node: Node, mode: Mode, version: string, style: Style): string {
  const places = {
    local: "on the local network",
    internet: "through the bootstrap server",
    both: "on the local network and through the bootstrap server",
  };
  return `${style.bold(`Parlance ${version}`)}: you are ${
    style.name(printableName(node.nickname))
  }, ` +
    `listening on TCP port ${node.tcpPort}\n` +
    `Looking for peers ${places[mode]}; /help lists the commands\n` +
    style.dim(
      node.id === undefined
        ? "Messages are not encrypted: others on the network can read them"
        : "Messages are encrypted, but to and from peers that are marked [plain]",
    );
}

/** An event of those that every interface for people shows alike. */
export type ShownEvent = Exclude<NodeEvent, { readonly type: "delivery" }>;

/**
 * The line of an event, or lines.
 *
 * @param now The time in milliseconds since the Unix epoch: what was written on another day shows
 *   its date.
 */
export function eventText(event: ShownEvent, style: Style, now: number): string {
  switch (event.type) {
    case "message": {
      const { from, content, timestamp } = event.message;
      const time = style.dim(`[${timeText(timestamp, now)}]`);
      const isNamesake = event.label !== undefined && !isMisleading(from);
      const mark = trustMark(event.trust, style) + (isNamesake ? style.warning(" [not you]") : "");
      // In quotes where it has spaces: else "bob ✓" could be taken for bob, who is verified.
      const name = style.name(printableName(quoteTarget(event.label ?? from)));
      return `${time} ${name}${mark}: ${contentText(content)}`;
    }
    case "peer_up":
      return style.dim(`* ${printableName(event.peer.label)} is here (${whereText(event.peer)})`);
    case "peer_down":
      return style.dim(
        `* ${printableName(event.peer.label)} has gone (${reasonText(event.reason)})`,
      );
    case "identity":
      return identityText(event, style);
    case "bootstrap":
      return style.dim(`* ${bootstrapText(event.state, event.url, event.reason)}`);
    case "problem":
      return style.warning(`! ${printable(event.message)}`);
  }
}

/** A peer as a list of peers shows it. */
export interface PeerEntry {
  readonly label: string;
  /** The addresses, as `ip:port`, in the order in which they are tried. */
  readonly addresses: readonly { readonly address: string; readonly via: Via }[];
  readonly trust: PeerTrust;
  /** Whether it calls itself as this node does. */
  readonly isNamesake: boolean;
  /** Where it is known for how long: milliseconds. */
  readonly knownForMs?: number;
}

/** The answer to `/peers`. */
export function peersText(
  node: Pick<Node, "nickname" | "peers" | "trustOf">,
  style: Style,
): string {
  const entries = node.peers().map((peer) => ({
    label: peer.label,
    addresses: peer.addresses.map(({ address, via }) => ({ address: formatAddress(address), via })),
    trust: node.trustOf(peer),
    isNamesake: peer.nickname === node.nickname,
    knownForMs: peer.knownForMs,
  }));
  return peerListText(entries, style);
}

/** A list of peers, each with its addresses below one another. */
export function peerListText(peers: readonly PeerEntry[], style: Style): string {
  if (peers.length === 0) return "Nobody is here yet";
  const rows = peers.flatMap(({ label, addresses, trust, isNamesake, knownForMs }) =>
    addresses.map(({ address, via }, index) => [
      index === 0 ? printableName(quoteTarget(label)) : "",
      address,
      viaText(via),
      index === 0 && knownForMs !== undefined ? `for ${durationText(knownForMs)}` : "",
      index === 0 ? `${trustText(trust)}${isNamesake ? ", not you" : ""}` : "",
    ])
  );
  const widths = [0, 1, 2, 4].map((column) =>
    Math.max(...rows.map((row) => likelyColumns(row[column])))
  );
  const lines = rows.map(([label, address, via, since, trust]) => {
    const padding = " ".repeat(widths[0] - likelyColumns(label));
    return `  ${style.name(label)}${padding}  ${address.padEnd(widths[1])}  ` +
      `${via.padEnd(widths[2])}  ${trust.padEnd(widths[3])}  ${style.dim(since)}`.trimEnd();
  });
  return [`${peers.length} ${peers.length === 1 ? "peer" : "peers"}:`, ...lines].join("\n");
}

function trustText(trust: PeerTrust): string {
  return {
    verified: "verified",
    known: "known",
    new: "new",
    changed: "CHANGED IDENTITY",
    blocked: "blocked",
    plain: "plain text",
    unverified: "plain text, UNVERIFIED",
  }[trust];
}

/** Hours, minutes and seconds of a Unix time in whole seconds, in the user's time zone. */
export function timeOfDay(timestamp: number): string {
  const date = new Date(timestamp * 1000);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0")).join(":");
}

/** Date, hours and minutes of a Unix time in whole seconds, in the user's time zone. */
export function dateAndTime(timestamp: number): string {
  const date = new Date(timestamp * 1000);
  const day = [String(date.getFullYear()).padStart(4, "0"), date.getMonth() + 1, date.getDate()]
    .map((part) => String(part).padStart(2, "0")).join("-");
  return `${day} ${timeOfDay(timestamp).slice(0, 5)}`;
}

/** The time of day; of what was written on another day the date, too. */
function timeText(timestamp: number, now: number): string {
  const isToday = new Date(timestamp * 1000).toDateString() === new Date(now).toDateString();
  return isToday ? timeOfDay(timestamp) : dateAndTime(timestamp);
}

/** A length of time in its largest unit: `5 s`, `12 min`, `3 h`, `2 d`. */
export function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** The text of a message, whose lines cannot pose as others. */
export function contentText(content: string): string {
  const lines = content.split("\n", MAX_LINES + 1);
  if (lines.length <= MAX_LINES) return lines.map(printable).join(CONTINUATION);
  const omitted = content.split("\n").length - MAX_LINES;
  return [...lines.slice(0, MAX_LINES).map(printable), `(${omitted} more lines are not shown)`]
    .join(CONTINUATION);
}

/** The same with all its lines. */
export function wholeContentText(content: string): string {
  return content.split("\n").map(printable).join(CONTINUATION);
}

function whereText({ addresses: [{ address, via }] }: Peer): string {
  return `${formatAddress(address)}, ${viaText(via)}`;
}

function viaText(via: "lan" | "bootstrap"): string {
  return via === "lan" ? "local network" : "bootstrap server";
}

function reasonText(reason: DownReason): string {
  return { goodbye: "said goodbye", timeout: "not heard of any more", left: "left" }[reason];
}

function bootstrapText(state: BootstrapState, url: string, reason?: string): string {
  switch (state) {
    case "connecting":
      return `connecting to the bootstrap server ${printable(url)}`;
    case "registered":
      return `registered at the bootstrap server ${printable(url)}`;
    case "disconnected":
      return `out of reach: the bootstrap server ${printable(url)}` +
        `${reason ? ` (${printable(reason)})` : ""}; trying again`;
  }
}
