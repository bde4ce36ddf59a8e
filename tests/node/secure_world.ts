import { type Log, silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { makeCertificate } from "../../lib/identity/certificate_maker.ts";
import { type Identity, makeIdentity } from "../../lib/identity/identity.ts";
import { KnownPeers } from "../../lib/identity/known_peers.ts";
import type { Node } from "../../lib/node.ts";
import type { MemoryHost } from "../../lib/transport/memory.ts";
import { TemporaryDirectory } from "../identity/files_fixtures.ts";
import { World } from "./fixtures.ts";

/** Makes an identity. */
export async function newIdentity(): Promise<Identity> {
  const { keyPem, certificatePem } = await makeCertificate(systemRandom);
  return makeIdentity(keyPem, certificatePem);
}

/** Nodes with identities, whose known peers are kept to the end of the test. */
export class SecureWorld implements AsyncDisposable {
  readonly world = new World();
  readonly #parts = new AsyncDisposableStack();
  readonly #nodes: Node[] = [];

  async start(
    nickname: string,
    { identity: given, ...options }: { identity?: Identity; host?: MemoryHost; log?: Log } = {},
  ): Promise<Node> {
    const { path: directory } = this.#parts.use(await TemporaryDirectory.make());
    const { clock } = this.world;
    const knownPeers = this.#parts.use(
      await KnownPeers.open({ directory, clock, log: silentLog }),
    );
    const identity = given ?? await newIdentity();
    const security = { identity, knownPeers, plaintext: "allow" } as const;
    const node = await this.world.start(nickname, { ...options, security });
    this.#nodes.push(node);
    await clock.advance(250);
    return node;
  }

  /** Ends a node. */
  async end(...nodes: Node[]): Promise<void> {
    const ended = Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
    let over = false;
    void ended.finally(() => over = true);
    // Sessions are closed in real turns of the event loop, and what they wait for by this clock.
    for (let turn = 0; turn < 200 && !over; turn++) await this.world.clock.advance(100);
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end(...this.#nodes);
    await this.#parts.disposeAsync();
  }
}
