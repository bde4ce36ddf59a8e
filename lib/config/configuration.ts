import { DEFAULT_MAX_CONTENT_BYTES } from "../wire/message.ts";

/** Where peers are looked for: on the LAN, through a bootstrap server, or both at once. */
export type Mode = "local" | "internet" | "both";

/** Every {@linkcode Mode}, in the order in which they are shown. */
export const MODES = ["local", "internet", "both"] as const satisfies readonly Mode[];

/**
 * What is done in plain text, as only version 1 peers talk: both ways, received but not sent, or
 * nothing. A nickname that is known with an id never gets plain text.
 */
export type PlainText = "allow" | "receive" | "deny";

/** Every {@linkcode PlainText}, the most lenient first. */
export const PLAIN_TEXT = ["allow", "receive", "deny"] as const satisfies readonly PlainText[];

/** What a configuration file says, with the default of every key that it leaves out. */
export interface Configuration {
  /** `[network]` */
  readonly network: {
    readonly mode: Mode;
    /** A `ws://` or `wss://` URL. */
    readonly bootstrapServer: string;
  };
  /** `[discovery]`: the bootstrap server's registry. */
  readonly discovery: {
    /** Seconds from one heartbeat to the next. */
    readonly heartbeatIntervalSecs: number;
    /** Seconds that the listed peers stay known while the server is out of reach. */
    readonly peerTimeoutSecs: number;
  };
  /** `[peer]`: this peer and the LAN around it. */
  readonly peer: {
    /** Seconds from one announce to the next. */
    readonly announceIntervalSecs: number;
    /** Seconds without an announce after which a peer counts as gone; above the interval. */
    readonly timeoutSecs: number;
    readonly nickname: string | undefined;
    /** Name of the profile, where it is not the nickname. */
    readonly profile: string | undefined;
    /** TCP port for messages, 0 to 65535; with 0 the system chooses. */
    readonly port: number;
    /** IPv4 addresses of the interfaces that LAN discovery uses; empty for all. */
    readonly interfaces: readonly string[];
  };
  /** `[security]` */
  readonly security: {
    readonly plaintext: PlainText;
  };
  /** `[history]` */
  readonly history: {
    /** Whether what was said is kept. */
    readonly enabled: boolean;
    /** Days after which messages are deleted; 0 for never. */
    readonly keepDays: number;
    /** Megabytes (of 1,000,000 bytes) that the file may take; 0 for any number. */
    readonly maxMegabytes: number;
  };
  /** `[outbox]` */
  readonly outbox: {
    /** Days after which a message that nobody has taken is given up; 0 for never. */
    readonly expireDays: number;
    /** Whether messages wait for peers, too, that never confirm them. */
    readonly queuePlain: boolean;
  };
  /** `[limits]` */
  readonly limits: {
    /** Longest content of a message, in bytes of UTF-8. */
    readonly maxContentBytes: number;
  };
}

/** What holds without a configuration file (protocol version 1, section 4). */
export const DEFAULT_CONFIGURATION: Configuration = {
  network: { mode: "local", bootstrapServer: "ws://localhost:8080" },
  discovery: { heartbeatIntervalSecs: 10, peerTimeoutSecs: 30 },
  peer: {
    announceIntervalSecs: 5,
    timeoutSecs: 15,
    nickname: undefined,
    profile: undefined,
    port: 0,
    interfaces: [],
  },
  security: { plaintext: "allow" },
  history: { enabled: true, keepDays: 0, maxMegabytes: 0 },
  outbox: { expireDays: 30, queuePlain: false },
  limits: { maxContentBytes: DEFAULT_MAX_CONTENT_BYTES },
};
