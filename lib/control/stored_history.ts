import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { conversationsWith } from "../chat/conversations.ts";
import { Destinations } from "../chat/destinations.ts";
import { UnknownPeerError } from "../errors.ts";
import { KnownPeers } from "../identity/known_peers.ts";
import { Profile } from "../identity/profile.ts";
import type { StoredMessage } from "../store/message.ts";
import { HISTORY_FILE } from "../store/schema.ts";
import type { SearchHit } from "../store/search.ts";
import { parseSearch } from "../store/search_query.ts";
import { Store } from "../store/store.ts";
import { exists } from "./exists.ts";

/** What a profile has kept, read without a client; nobody else uses the profile meanwhile. */
export class StoredHistory implements AsyncDisposable {
  private constructor(
    private readonly store: Store,
    private readonly destinations: Destinations,
    private readonly parts: AsyncDisposableStack,
  ) {}

  /**
   * Opens the profile. Where there is none, or it has kept nothing yet, none is made.
   *
   * @throws {ProfileInUseError} Another process uses the profile.
   * @throws {ParlanceError} It cannot be opened; it is left as it is.
   */
  static async open(
    { directory, clock, log }: { directory: string; clock: Clock; log: Log },
  ): Promise<StoredHistory> {
    await using parts = new AsyncDisposableStack();
    if (await exists(directory)) parts.use(await Profile.open({ directory, log }));
    const known = parts.use(await KnownPeers.open({ directory, clock, log }));
    const file = join(directory, HISTORY_FILE);
    const path = await exists(file) ? file : undefined;
    const store = parts.use(await Store.open({ path, clock, log }));
    const destinations = new Destinations({
      known,
      trust: undefined,
      find: (target) => {
        throw new UnknownPeerError(target, []);
      },
      named: () => [],
      contactsNamed: (nickname) => store.contactsNamed(nickname),
      queuePlain: false,
    });
    return new StoredHistory(store, destinations, parts.move());
  }

  /**
   * The last messages with somebody, or of all conversations; the newest last.
   *
   * @throws {InvalidInputError} There is no conversation with the target.
   */
  history(target: string | undefined, count: number): StoredMessage[] {
    const { store, destinations } = this;
    if (target === undefined) return store.history({ count });
    const meant = destinations.meant.bind(destinations);
    const contacts = conversationsWith({ store, meant }, target).map(({ key }) => key);
    return store.history({ count, contacts });
  }

  /**
   * Finds messages, the newest first.
   *
   * @throws {InvalidInputError} The query cannot be read, or nobody has the name in it.
   */
  async search(query: string, limit: number, signal: AbortSignal): Promise<SearchHit[]> {
    return await this.store.search(parseSearch(query), { limit, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.parts.disposeAsync();
  }
}
