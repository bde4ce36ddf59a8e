import { InvalidInputError } from "../errors.ts";
import type { Contact, ContactName } from "../store/contacts.ts";
import type { StoredMessage } from "../store/message.ts";
import type { SearchHit } from "../store/search.ts";
import { parseSearch } from "../store/search_query.ts";
import type { Store } from "../store/store.ts";

/** What {@linkcode conversationsWith} works with. */
export interface ConversationsOptions {
  readonly store: Pick<Store, "contactsNamed">;
  /** The contacts whose history a target stands for, among those that have the name. */
  readonly meant: (target: string, named: readonly Contact[]) => readonly ContactName[];
}

/**
 * The stored contacts whose messages a target stands for; none where there is no history with it.
 *
 * @param target A nickname, a label or an id.
 */
export function contactsMeant({ store, meant }: ConversationsOptions, target: string): Contact[] {
  return meant(target, store.contactsNamed(target)).flatMap(({ id, nickname }) =>
    store.contactsNamed(id ?? nickname).filter((contact) => contact.id === id)
  );
}

/**
 * The same.
 *
 * @param action What is to be done with them.
 * @throws {InvalidInputError} There are none.
 */
export function conversationsWith(
  options: ConversationsOptions,
  target: string,
  action: "show" | "clear" = "show",
): Contact[] {
  const contacts = contactsMeant(options, target);
  if (contacts.length > 0) return contacts;
  throw new InvalidInputError(
    `Cannot ${action} a history with ${JSON.stringify(target)}: there is none; ` +
      "/history without a nickname shows all",
  );
}

/** What {@linkcode readConversation} and {@linkcode searchConversations} work with. */
export interface ReadingOptions extends ConversationsOptions {
  readonly store: Pick<Store, "contactsNamed" | "history" | "search">;
}

/**
 * The last messages with somebody, or of all conversations; the newest last.
 *
 * @param count 1 to 1,000.
 * @throws {InvalidInputError} There is no conversation with the target.
 */
export function readConversation(
  options: ReadingOptions,
  target: string | undefined,
  count: number,
): StoredMessage[] {
  const { store } = options;
  if (target === undefined) return store.history({ count });
  const contacts = conversationsWith(options, target).map(({ key }) => key);
  return store.history({ count, contacts });
}

/**
 * Finds messages, the newest first.
 *
 * @param query Words, "phrases", beginnings with a star, `from:nickname`, `before:2026-01-31`.
 * @throws {InvalidInputError} The query cannot be read, or nobody has the name in it.
 */
export async function searchConversations(
  options: ReadingOptions,
  query: string,
  limit: number,
  signal?: AbortSignal,
): Promise<SearchHit[]> {
  const { store } = options;
  const parsed = parseSearch(query);
  const { from } = parsed;
  if (from === undefined || from.toLowerCase() === "me") {
    return await store.search(parsed, { limit, signal });
  }
  const keys = contactsMeant(options, from).map(({ key }) => key);
  return await store.search(parsed, { limit, signal, from: keys });
}
