import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { readConversation, searchConversations } from "../chat/conversations.ts";
import { Destinations } from "../chat/destinations.ts";
import { messageOf, UnknownPeerError } from "../errors.ts";
import { KnownPeers } from "../identity/known_peers.ts";
import { Profile, ProfileInUseError } from "../identity/profile.ts";
import type { StoredMessage } from "../store/message.ts";
import { HISTORY_FILE } from "../store/schema.ts";
import type { SearchHit } from "../store/search.ts";
import { Store } from "../store/store.ts";
import { StoreError } from "../store/store_error.ts";
import { exists } from "./exists.ts";
import { type ReadableHistory, ReadOnlyHistory } from "./read_only_history.ts";

/** What a profile has kept, read without a client; nobody else uses the profile meanwhile. */
export class StoredHistory implements AsyncDisposable {
  private constructor(
    private readonly store: ReadableHistory,
    private readonly destinations: Destinations,
    private readonly parts: AsyncDisposableStack,
  ) {}

  /**
   * Opens the profile. Where there is none, or it has kept nothing yet, none is made; where nothing
   * can be written, it is only read.
   *
   * @throws {ProfileInUseError} Another process uses the profile.
   * @throws {ParlanceError} It cannot be opened; it is left as it is.
   */
  static async open(
    { directory, clock, log }: { directory: string; clock: Clock; log: Log },
  ): Promise<StoredHistory> {
    await using parts = new AsyncDisposableStack();
    if (await exists(directory)) {
      try {
        parts.use(await Profile.open({ directory, log }));
      } catch (error) {
        if (error instanceof ProfileInUseError || !isUnwritable((error as Error).cause)) {
          throw error;
        }
        // Without a lock that somebody could have made there, nobody has it.
      }
    }
    const known = parts.use(await KnownPeers.open({ directory, clock, log }));
    const file = join(directory, HISTORY_FILE);
    const path = await exists(file) ? file : undefined;
    const store = parts.use(await openStore(path, clock, log));
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

  /** See {@linkcode readConversation}. */
  history(target: string | undefined, count: number): StoredMessage[] {
    return readConversation(this.#conversations, target, count);
  }

  /** See {@linkcode searchConversations}. */
  search(query: string, limit: number, signal: AbortSignal): Promise<SearchHit[]> {
    return searchConversations(this.#conversations, query, limit, signal);
  }

  /** Why a search does not find everything, for the user, where that is so. */
  get searchProblem(): string | undefined {
    return this.store.problem;
  }

  get #conversations() {
    const { store, destinations } = this;
    return { store, meant: destinations.meant.bind(destinations) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.parts.disposeAsync();
  }
}

async function openStore(
  path: string | undefined,
  clock: Clock,
  log: Log,
): Promise<ReadableHistory> {
  try {
    return await Store.open({ path, clock, log });
  } catch (error) {
    const isUnwritten = error instanceof StoreError && ["readonly", "full"].includes(error.kind);
    if (path === undefined || !isUnwritten) throw error;
    try {
      return await ReadOnlyHistory.open(path);
    } catch {
      throw error; // which says what to do
    }
  }
}

/** No permission, or a file system that is read-only (EACCES, EPERM, EROFS). */
function isUnwritable(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied ||
    /\(os error (?:1|13|30)\)/.test(messageOf(error));
}
