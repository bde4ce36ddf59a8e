import { type Log, silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { makeCertificate } from "../../lib/identity/certificate_maker.ts";
import { type Identity, makeIdentity } from "../../lib/identity/identity.ts";
import { KnownPeers } from "../../lib/identity/known_peers.ts";
import type { Node, NodeOptions, NodeSecurity } from "../../lib/node.ts";
import { Store } from "../../lib/store/store.ts";
import type { MemoryHost } from "../../lib/transport/memory.ts";
import { TemporaryDirectory } from "../identity/files_fixtures.ts";
import { Listening, World } from "./fixtures.ts";

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
    const identity = given ?? await newIdentity();
    return await this.#start(nickname, { ...options, security: await this.#security(identity) });
  }

  /** Makes what outlives the runs of a node: its identity, whom it knows, and its history. */
  async profile(): Promise<Required<Pick<NodeOptions, "security" | "history">>> {
    const { clock } = this.world;
    const store = this.#parts.use(
      await Store.open({ path: undefined, clock, log: silentLog }),
    );
    return {
      security: await this.#security(await newIdentity()),
      history: {
        store,
        keepDays: Infinity,
        maxMegabytes: Infinity,
        expireDays: 30,
        queuePlain: false,
      },
    };
  }

  /** Starts a node that keeps what is said. */
  async startWith(
    nickname: string,
    profile: Pick<NodeOptions, "security" | "history">,
    options: { host?: MemoryHost } = {},
  ): Promise<Listening> {
    return new Listening(await this.#start(nickname, { ...options, ...profile }));
  }

  async #security(identity: Identity): Promise<NodeSecurity> {
    const { path: directory } = this.#parts.use(await TemporaryDirectory.make());
    const { clock } = this.world;
    const knownPeers = this.#parts.use(
      await KnownPeers.open({ directory, clock, log: silentLog }),
    );
    return { identity, knownPeers, plaintext: "allow" };
  }

  async #start(nickname: string, options: Parameters<World["start"]>[1]): Promise<Node> {
    const { clock } = this.world;
    const node = await this.world.start(nickname, options);
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
