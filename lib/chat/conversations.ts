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
 * @throws {InvalidInputError} There are none.
 */
export function conversationsWith(options: ConversationsOptions, target: string): Contact[] {
  const contacts = contactsMeant(options, target);
  if (contacts.length > 0) return contacts;
  throw new InvalidInputError(
    `Cannot show a history with ${JSON.stringify(target)}: there is none; ` +
      "/history without a nickname shows all",
  );
}
