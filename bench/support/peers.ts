/**
 * Many peers of version 2 in one process, each with sockets of its own on the loopback interface.
 * Prints `ready` when everybody knows everybody. Ends with its input.
 *
 *     deno run -A bench/support/peers.ts COUNT PREFIX
 *
 * @module
 */
import { defaultNodeOptions, Node } from "../../lib/node.ts";

const [count, prefix] = Deno.args;
await using nodes = new AsyncDisposableStack();

/** Resolves when the node has seen all the others; goes on taking events after that. */
function knowsAll(node: Node): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const known = new Set<string>();
  const take = async () => {
    for await (const event of node.events) {
      if (event.type !== "peer_up" || !event.peer.nickname.startsWith(prefix)) continue;
      known.add(event.peer.nickname);
      if (known.size === Number(count) - 1) resolve();
    }
  };
  void take();
  return promise;
}

const meetings: Promise<void>[] = [];
for (let index = 0; index < Number(count); index++) {
  const nickname = `${prefix}${index}`;
  const node = nodes.use(
    await Node.start({ ...defaultNodeOptions, nickname, interfaces: ["127.0.0.1"] }),
  );
  meetings.push(knowsAll(node));
}
await Promise.all(meetings);
console.log("ready");
for await (const _ of Deno.stdin.readable);
