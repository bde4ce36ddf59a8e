import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { makeCertificate } from "../../lib/identity/certificate_maker.ts";
import { type Identity, makeIdentity } from "../../lib/identity/identity.ts";
import { KnownPeers } from "../../lib/identity/known_peers.ts";
import { defaultNodeOptions, Node } from "../../lib/node.ts";
import type { MemoryNetwork } from "../../lib/transport/memory.ts";
import type { LanNetwork } from "../../lib/transport/datagram.ts";
import type { Transport } from "../../lib/transport/stream.ts";

/** One user who starts and ends his node, with the same identity each time. */
export class ChaosNode implements AsyncDisposable {
  /** What each run took, the latest run last. */
  readonly heard: string[][] = [];
  #node: Node | undefined;
  #run = new AsyncDisposableStack();

  private constructor(
    readonly nickname: string,
    private readonly identity: Identity,
    private readonly directory: string,
    private readonly lan: LanNetwork,
    private readonly transport: Transport,
  ) {}

  /** Makes the identity of node `index`; {@linkcode start} starts the node. */
  static async make(
    index: number,
    network: MemoryNetwork,
    transport: Transport,
  ): Promise<ChaosNode> {
    const certificate = await makeCertificate(systemRandom);
    const address = `10.0.0.${index + 1}`;
    const host = network.host({ name: "eth0", address, netmask: "255.0.0.0", lan: "lan" });
    return new ChaosNode(
      `node${index}`,
      await makeIdentity(certificate.keyPem, certificate.certificatePem),
      await Deno.makeTempDir({ prefix: "parlance-chaos-" }),
      host.lan,
      transport,
    );
  }

  /** The node, while it runs. */
  get node(): Node | undefined {
    return this.#node;
  }

  async start(): Promise<void> {
    const run = new AsyncDisposableStack();
    this.#run = run;
    const { identity, nickname, directory, lan, transport } = this;
    const knownPeers = run.use(
      await KnownPeers.open({ directory, clock: systemClock, log: silentLog }),
    );
    const heard: string[] = [];
    this.heard.push(heard);
    const read = async (node: Node) => {
      for await (const event of node.events) {
        if (event.type === "message") heard.push(event.message.content);
      }
    };
    const node = await Node.start({
      ...defaultNodeOptions,
      nickname,
      security: { identity, knownPeers, plaintext: "deny" },
    }, {
      clock: systemClock,
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await Deno.remove(this.directory, { recursive: true });
  }
}
