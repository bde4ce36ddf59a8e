import { InvalidInputError } from "../errors.ts";
import type { Contact, ContactName } from "../store/contacts.ts";
import type { Store } from "../store/store.ts";

/** What {@linkcode conversationsWith} works with. */
export interface ConversationsOptions {
  readonly store: Pick<Store, "contactsNamed">;
  /** The contacts whose history a target stands for, among those that have the name. */
  readonly meant: (target: string, named: readonly Contact[]) => readonly ContactName[];
}

/**
 * The stored contacts whose messages a target stands for.
 *
 * @param target A nickname, a label or an id.
 * @throws {InvalidInputError} There are none.
 */
export function conversationsWith(
  { store, meant }: ConversationsOptions,
  target: string,
): Contact[] {
  const contacts = meant(target, store.contactsNamed(target)).flatMap(({ id, nickname }) =>
    store.contactsNamed(id ?? nickname).filter((contact) => contact.id === id)
  );
  if (contacts.length > 0) return contacts;
  throw new InvalidInputError(
    `Cannot show a history with ${JSON.stringify(target)}: there is none; ` +
      "/history without a nickname shows all",
  );
}
