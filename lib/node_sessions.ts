import type { NodeEnvironment, NodeSecurity } from "./node_options.ts";
import { Sessions, type SessionsOptions } from "./peer/sessions.ts";
import { identifyCertificate } from "./wire/certificate.ts";

/** Impostors that are remembered, by what was told of them. */
const MAX_TOLD = 1000;

/** What {@linkcode openSessions} works with: what the node knows and hears. */
export interface OpenSessionsOptions extends
  Pick<
    SessionsOptions,
    | "nickname"
    | "instance"
    | "maxContentBytes"
    | "refusals"
    | "find"
    | "objection"
    | "admit"
    | "intake"
    | "onMessage"
    | "onEstablished"
    | "onEnded"
    | "onImpostor"
  > {
  readonly environment: NodeEnvironment;
  readonly security: NodeSecurity;
}

/** Joins sessions with this node's identity and the runtime's TLS. */
export function openSessions(
  { environment, security, onImpostor, ...options }: OpenSessionsOptions,
): Sessions {
  const told = new Set<string>();
  const { clock, random, transport } = environment;
  const { identity, knownPeers } = security;
  return new Sessions({
    ...options,
    clock,
    random,
    transport,
    // Loaded with the first session: TLS would be the largest part of a start.
    async upgrade(stream, role, judge, signal) {
      const { secure } = await import("./transport/tls.ts");
      return secure(stream, { clock, credentials: identity, role, judge, signal });
    },
    // Once: whoever waits for the peer dials the address again and again, as long as it is announced.
    onImpostor: (message) => {
      if (told.has(message)) return;
      if (told.size >= MAX_TOLD) told.clear();
      told.add(message);
      onImpostor(message);
    },
    identify: identifyCertificate,
    ownId: identity.id,
    isTrusted: (id) => knownPeers.byId(id)?.verified === true,
  });
}
