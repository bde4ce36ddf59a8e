import { MAX_CONTENT_BYTES } from "./rules.ts";

/** The commented configuration file that holds every key with its default. */
export const DEFAULT_FILE = `# Configuration of Parlance, in TOML.
#
# Parlance reads the first of these files that exists:
#   the one named with --config FILE
#   parlance.toml in the working directory
#   parlance/parlance.toml in $XDG_CONFIG_HOME (without it ~/.config; on Windows %APPDATA%)
# Options of the command line override it. Every key is optional and has the default shown here.

[network]
# Where peers are looked for: "local" (this LAN), "internet" (a bootstrap server), or "both".
mode = "local"
# The bootstrap server for "internet" and "both": a ws:// or wss:// URL.
bootstrap_server = "ws://localhost:8080"

# The bootstrap server's list of peers. Seconds, 1 to 86400; make the time-out thrice as long.
[discovery]
# How often the server hears that this peer is still there.
heartbeat_interval_secs = 10
# How long the peers of its list stay known while the server is out of reach.
peer_timeout_secs = 30

# This peer, and the LAN around it. Seconds, 1 to 86400; make the time-out thrice as long.
[peer]
# How often this peer announces itself.
announce_interval_secs = 5
# How long a peer may stay silent before it counts as gone.
timeout_secs = 15
# What others see: 1 to 32 bytes of UTF-8. Without it, the name of the system's user.
# nickname = "alice"
# Name of the place that keeps this peer's identity: 1 to 64 bytes of UTF-8. Without it, the nickname.
# profile = "work"
# TCP port for incoming messages, 0 to 65535; with 0 the system chooses a free one.
port = 0
# IPv4 addresses of the network interfaces to use on the LAN, such as ["192.168.1.10"].
# An empty list stands for all.
interfaces = []

[security]
# Messages without encryption, as peers of protocol version 1 send them: "allow" both ways, only
# "receive" them, or "deny" them. Peers that encrypt never get any, whatever stands here.
plaintext = "allow"

[history]
# Whether what was said is kept, on this machine only. With false only what is still to be delivered
# is, and the ids of what has come, so that nothing comes twice. What was kept before stays until
# "/history clear".
enabled = true
# After how many days messages are deleted that were shown, 0 to 36500; with 0 they are kept.
keep_days = 0
# How much of the disk they may take, in MB, 0 to 1000000, the oldest going first; with 0 any. What
# was not shown yet only goes where all else is not enough, and then you are told. Not counted are the
# ids of messages that have come, 25 to 40 bytes each, and of their senders: those are kept, so that
# nothing comes twice.
max_mb = 0

[outbox]
# After how many days a message that nobody has taken is given up, 0 to 36500; with 0 never.
expire_days = 30
# Whether messages wait for peers of protocol version 1, too. Those confirm nothing: what they were
# just taking when something broke is sent again.
queue_plain = false

[limits]
# Longest content of a message in bytes of UTF-8, 1024 to ${MAX_CONTENT_BYTES}.
max_content_bytes = 65536
`;
