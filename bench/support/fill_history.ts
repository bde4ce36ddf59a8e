/**
 * Makes a history of many messages, with as many words as people use, from a year with 50 contacts,
 * and one that wrote three of them.
 * Prints how many bytes it takes on the disk.
 *
 *     deno run -A bench/support/fill_history.ts DIRECTORY COUNT
 *
 * @module
 */
import { type Clock, systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { HISTORY_FILE } from "../../lib/store/schema.ts";
import { parseSearch } from "../../lib/store/search_query.ts";
import { Store } from "../../lib/store/store.ts";
import { MessageIdSource } from "../../lib/wire/message_id.ts";
import { formatPeerId } from "../../lib/wire/peer_id.ts";
import { numbers, sentence } from "./words.ts";

const YEAR_MS = 365 * 86_400_000;
const CONTACTS = 50;
/** How many messages the contact has written that says little, all in the middle. */
const SELDOM = 3;
/** One message in so many has the rare word. */
const RARE = 200_000;
/** Messages that are written together. */
const BATCH = 2000;

const [directory, text] = Deno.args;
const count = Number(text);
const path = `${directory}/${HISTORY_FILE}`;
const end = Date.now();
let now = end - YEAR_MS;
const clock: Clock = { ...systemClock, now: () => now };
const ids = new MessageIdSource(clock, systemRandom);
const random = numbers();
const contacts = Array.from({ length: CONTACTS }, (_, index) => ({
  id: formatPeerId(new Uint8Array(32).fill(index + 1)),
  nickname: `contact${index}`,
}));
const seldom = { id: formatPeerId(new Uint8Array(32).fill(CONTACTS + 1)), nickname: "seldom" };

await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
const store = await Store.open({ path, clock, log: silentLog });
for (let first = 0; first < count; first += BATCH) {
  const writing: Promise<unknown>[] = [];
  for (let number = first; number < Math.min(count, first + BATCH); number++) {
    now += YEAR_MS / count;
    const content = sentence(random) + (number % RARE === RARE / 2 ? " xylophone" : "");
    const contact = contacts[Math.floor(random.next().value * CONTACTS)];
    const isSeldom = number % 2 === 0 && number >= count / 2 && number < count / 2 + 2 * SELDOM;
    const message = {
      id: ids.next(),
      contact: isSeldom ? seldom : contact,
      content,
      timestamp: Math.floor(now / 1000),
      encrypted: true,
      trust: "known",
    } as const;
    writing.push(
      number % 2 === 0
        ? store.inbox.receive(message)
        : store.outbox.enqueue({ ...message, state: "sent" }),
    );
  }
  await Promise.all(writing);
}
await store.search(parseSearch("xylophone")); // when it answers, the index has everything
await store[Symbol.asyncDispose]();
console.log(Deno.statSync(path).size);
