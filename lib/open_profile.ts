import { systemClock } from "./base/clock.ts";
import type { Log } from "./base/log.ts";
import { systemRandom } from "./base/random.ts";
import type { Settings } from "./config/settings.ts";
import { openIdentity } from "./identity/identity.ts";
import { KnownPeers } from "./identity/known_peers.ts";
import { Profile } from "./identity/profile.ts";
import { profileDirectory } from "./identity/profile_directory.ts";
import type { NodeHistory, NodeSecurity } from "./node_options.ts";
import { openHistory } from "./open_history.ts";
import type { Store } from "./store/store.ts";

/** What outlives a run of the client. */
export interface OpenedProfile extends AsyncDisposable {
  /** The profile's. */
  readonly directory: string;
  readonly security: NodeSecurity;
  readonly history: NodeHistory;
  /** Whom the user has turned to or exchanged messages with; at most some thousands. */
  readonly nicknames: () => string[];
}

/** Contacts that are looked at for their nicknames, in pages. */
const MAX_CONTACTS = 10_000;
const PAGE = 1000;

/** Opens the profile, which no other process may use meanwhile, and what it holds. */
export async function openProfile(settings: Settings, log: Log): Promise<OpenedProfile> {
  const env = (name: string) => Deno.env.get(name);
  const directory = profileDirectory({ ...settings, env, os: Deno.build.os });
  await using parts = new AsyncDisposableStack();
  parts.use(await Profile.open({ directory, log }));
  const identity = await openIdentity(directory, systemRandom);
  const knownPeers = parts.use(await KnownPeers.open({ directory, clock: systemClock, log }));
  const history = parts.use(await openHistory({ settings, directory, clock: systemClock, log }));
  if (knownPeers.isNew && hasMet(history.store)) {
    log.warn(
      `The known peers of ${directory} are missing: everybody you meet is new, whoever it was before. ` +
        "Restore the file peers.json from a backup, or /verify your friends again",
    );
  }
  const opened = parts.move();
  return {
    directory,
    security: { identity, knownPeers, plaintext: settings.plaintext },
    history,
    nicknames: () => [
      ...knownPeers.addressedFrom("").flatMap(({ nickname }) => nickname ?? []),
      ...contactNames(history.store),
    ],
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Whether messages were exchanged with somebody who has an id, and so was known. */
function hasMet(store: Pick<Store, "contacts">): boolean {
  return store.contacts({ limit: PAGE }).some(({ id }) => id !== undefined);
}

function contactNames(store: Pick<Store, "contacts">): string[] {
  const names: string[] = [];
  for (let after = 0; names.length < MAX_CONTACTS;) {
    const page = store.contacts({ after, limit: PAGE });
    names.push(...page.map(({ nickname }) => nickname));
    if (page.length < PAGE) break;
    after = page.at(-1)!.key;
  }
  return names;
}
