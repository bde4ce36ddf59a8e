import { silentLog } from "../../lib/base/log.ts";
import { KnownPeers } from "../../lib/identity/known_peers.ts";
import type { KnownPeer } from "../../lib/identity/known_peers_file.ts";
import { formatPeerId, type PeerId } from "../../lib/wire/peer_id.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { TemporaryDirectory } from "./files_fixtures.ts";

/** A different id for each number. */
export function idOf(number: number): PeerId {
  const hash = new Uint8Array(32);
  new DataView(hash.buffer).setUint32(0, number);
  return formatPeerId(hash);
}
export const [ANN, BOB, EVE] = [idOf(1), idOf(2), idOf(3)];

/** Known peers on a disk of their own and with a clock that the test moves. */
export class Fixture implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly errors: string[] = [];
  readonly warnings: string[] = [];

  private constructor(private readonly directory: TemporaryDirectory) {}

  static async make(): Promise<Fixture> {
    return new Fixture(await TemporaryDirectory.make());
  }

  get path(): string {
    return `${this.directory.path}/peers.json`;
  }

  open(limit?: number): Promise<KnownPeers> {
    const { clock, directory: { path: directory } } = this;
    const log = {
      ...silentLog,
      error: (message: string) => void this.errors.push(message),
      warn: (message: string) => void this.warnings.push(message),
    };
    return KnownPeers.open({ directory, clock, log, limit });
  }

  /** The records that the file has. */
  async written(): Promise<KnownPeer[]> {
    return JSON.parse(await Deno.readTextFile(this.path)).peers;
  }

  /** The same, once everything is written. */
  async all(known: KnownPeers): Promise<KnownPeer[]> {
    await known.flush();
    return await Deno.stat(this.path).then(() => this.written(), () => []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.directory[Symbol.asyncDispose]();
  }
}
