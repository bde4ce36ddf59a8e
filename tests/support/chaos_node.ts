import type { Clock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { makeCertificate } from "../../lib/identity/certificate_maker.ts";
import { type Identity, makeIdentity } from "../../lib/identity/identity.ts";
import { KnownPeers } from "../../lib/identity/known_peers.ts";
import { defaultNodeOptions, Node, type NodeHistory } from "../../lib/node.ts";
import type { StoredMessage } from "../../lib/store/message.ts";
import { Store } from "../../lib/store/store.ts";
import type { MemoryNetwork } from "../../lib/transport/memory.ts";
import type { LanNetwork } from "../../lib/transport/datagram.ts";
import type { Transport } from "../../lib/transport/stream.ts";

/** Messages that are read from a store at once. */
const PAGE = 1000;

/** What {@linkcode ChaosNode} works with. */
export interface ChaosNodeOptions {
  readonly clock: Clock;
  readonly network: MemoryNetwork;
  readonly transport: Transport;
  /** Whether it keeps what is said, from one run to the next. */
  readonly keeps: boolean;
  /** With that: called when the receiver of a message has kept it, too. */
  readonly onDelivered: (content: string) => void;
}

/** One user who starts and ends his node, with the same identity, and history, each time. */
export class ChaosNode implements AsyncDisposable {
  /** What each run showed, the latest run last. */
  readonly heard: string[][] = [];
  #node: Node | undefined;
  #run = new AsyncDisposableStack();

  private constructor(
    readonly nickname: string,
    private readonly identity: Identity,
    private readonly directory: string,
    private readonly lan: LanNetwork,
    private readonly store: Store | undefined,
    private readonly options: ChaosNodeOptions,
  ) {}

  /** Makes the identity of node `index`; {@linkcode start} starts the node. */
  static async make(index: number, options: ChaosNodeOptions): Promise<ChaosNode> {
    const { clock, network, keeps } = options;
    const certificate = await makeCertificate(systemRandom);
    const address = `10.0.0.${index + 1}`;
    const host = network.host({ name: "eth0", address, netmask: "255.0.0.0", lan: "lan" });
    return new ChaosNode(
      `node${index}`,
      await makeIdentity(certificate.keyPem, certificate.certificatePem),
      await Deno.makeTempDir({ prefix: "parlance-chaos-" }),
      host.lan,
      keeps ? await Store.open({ path: undefined, clock, log: silentLog }) : undefined,
      options,
    );
  }

  /** The node, while it runs. */
  get node(): Node | undefined {
    return this.#node;
  }

  async start(): Promise<void> {
    const run = new AsyncDisposableStack();
    this.#run = run;
    const { identity, nickname, directory, lan } = this;
    const { clock, transport, onDelivered } = this.options;
    const knownPeers = run.use(await KnownPeers.open({ directory, clock, log: silentLog }));
    const heard: string[] = [];
    this.heard.push(heard);
    const read = async (node: Node) => {
      for await (const event of node.events) {
        if (event.type === "message") heard.push(event.message.content);
        if (event.type === "delivery" && event.state === "delivered") onDelivered(event.content);
      }
    };
    const node = await Node.start({
      ...defaultNodeOptions,
      nickname,
      security: { identity, knownPeers, plaintext: "deny" },
      history: this.#history(),
    }, {
      clock,
      random: systemRandom,
      log: silentLog,
      transport,
      lan,
      dialTextChannel: () => Promise.reject(new Error("There is no server")),
    });
    const reading = read(node);
    run.defer(() => reading);
    run.use(node);
    this.#node = node;
  }

  /** Ends the run: nothing is sent or taken any more when this resolves. */
  async end(): Promise<void> {
    this.#node = undefined;
    await this.#run.disposeAsync();
  }

  /** Everything that it has kept, in the order in which it was sent or came. */
  kept(): StoredMessage[] {
    const kept: StoredMessage[] = [];
    let before: number | undefined;
    while (this.store !== undefined) {
      const page = this.store.history({ count: PAGE, before });
      kept.unshift(...page);
      if (page.length < PAGE) break;
      before = page[0].key;
    }
    return kept;
  }

  /** How many messages wait to be delivered. */
  get pendingCount(): number {
    return this.store?.outbox.pendingCount() ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await this.store?.[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }

  #history(): NodeHistory | undefined {
    const { store } = this;
    return store && {
      store,
      keepDays: Infinity,
      maxMegabytes: Infinity,
      expireDays: 30,
      queuePlain: false,
    };
  }
}
