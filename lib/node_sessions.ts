import type { NodeEnvironment, NodeSecurity } from "./node_options.ts";
import { Sessions, type SessionsOptions } from "./peer/sessions.ts";
import { identifyCertificate } from "./wire/certificate.ts";

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
  { environment, security, ...options }: OpenSessionsOptions,
): Sessions {
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
    identify: identifyCertificate,
    ownId: identity.id,
    isTrusted: (id) => knownPeers.byId(id)?.verified === true,
  });
}
