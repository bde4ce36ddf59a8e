/**
 * A client that keeps nothing: what sessions, or plain text, can do without the store. It reads and
 * writes the objects of the JSON interface; of the commands it knows `send`, which is answered by
 * `sent` when the other side has acknowledged.
 *
 *     deno run -A bench/support/session_client.ts NICKNAME DIRECTORY    encrypted, identity there
 *     deno run -A bench/support/session_client.ts NICKNAME              in plain text
 *
 * Ends with its input.
 *
 * @module
 */
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { messageOf } from "../../lib/errors.ts";
import { openIdentity } from "../../lib/identity/identity.ts";
import { KnownPeers } from "../../lib/identity/known_peers.ts";
import { defaultNodeOptions, Node, type NodeSecurity } from "../../lib/node.ts";
import { EventPump } from "../../lib/ui/event_pump.ts";
import { inputLines } from "../../lib/ui/input.ts";
import { parseJsonCommand } from "../../lib/ui/json_command.ts";
import { describeEvent } from "../../lib/ui/json_event.ts";
import { Output } from "../../lib/ui/output.ts";

/** Messages that are on their way at the same time. */
const MAX_ON_THEIR_WAY = 1024;

const [nickname, directory] = Deno.args;
await using parts = new AsyncDisposableStack();

async function openSecurity(directory: string): Promise<NodeSecurity> {
  await Deno.mkdir(directory, { recursive: true });
  const identity = await openIdentity(directory, systemRandom);
  const known = await KnownPeers.open({ directory, clock: systemClock, log: silentLog });
  return { identity, knownPeers: parts.use(known), plaintext: "allow" };
}

const security = directory === undefined ? undefined : await openSecurity(directory);
const interfaces = ["127.0.0.1"];
const node = parts.use(
  await Node.start({ ...defaultNodeOptions, nickname, interfaces, security }),
);
const output = new Output((bytes) => Deno.stdout.write(bytes as Uint8Array<ArrayBuffer>));
const emit = (object: object) => output.push(`${JSON.stringify(object)}\n`);
const pump = new EventPump(
  (event) => emit(describeEvent(event, node, node)),
  () => output.ready(),
);
void pump.run(node.events);
emit({ event: "ready", nickname, tcp_port: node.tcpPort });

let onTheirWay = 0;
let room: PromiseWithResolvers<void> | undefined;
const settled = (event: object) => {
  emit(event);
  onTheirWay--;
  if (onTheirWay > MAX_ON_THEIR_WAY / 2) return;
  room?.resolve();
  room = undefined;
};

for await (const lines of inputLines((buffer) => Deno.stdin.read(buffer as never))) {
  for (const input of lines) {
    if ("refused" in input) throw new Error(input.refused);
    const command = parseJsonCommand(input.line);
    if (command.command !== "send") throw new Error(`Cannot run ${input.line}`);
    const { to, content, ref } = command;
    onTheirWay++;
    node.send(to, content).then(
      () => settled({ event: "sent", to, ref }),
      (error) => settled({ event: "error", message: messageOf(error), ref }),
    );
    if (onTheirWay < MAX_ON_THEIR_WAY) continue;
    room ??= Promise.withResolvers();
    await room.promise;
  }
}
await parts.disposeAsync();
Deno.exit(0);
