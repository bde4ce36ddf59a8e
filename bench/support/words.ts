/** How many words there are; text of people has about as many in a million messages. */
export const VOCABULARY = 50_000;
const SYLLABLES = [
  "ba",
  "ce",
  "di",
  "fo",
  "gu",
  "ha",
  "ke",
  "li",
  "mo",
  "nu",
  "pa",
  "re",
  "si",
  "to",
];

/** A word by its rank: the first ones are the most frequent. */
export function word(rank: number): string {
  let text = "";
  for (let rest = rank + SYLLABLES.length; rest > 0; rest = Math.floor(rest / SYLLABLES.length)) {
    text += SYLLABLES[rest % SYLLABLES.length];
  }
  return text;
}

/** Numbers from 0 to 1, always the same ones (xorshift32, Marsaglia 2003). */
export function* numbers(seed = 1): Generator<number, never> {
  for (let state = seed;;) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield (state >>> 0) / 2 ** 32;
  }
}

/** Some 4 to 20 words; the frequency of each goes with its rank, as in texts of people (Zipf). */
export function sentence(random: Generator<number, never>): string {
  const count = 4 + Math.floor(random.next().value * 17);
  let text = "";
  for (let at = 0; at < count; at++) {
    const rank = Math.floor(VOCABULARY ** random.next().value) - 1;
    text += at === 0 ? word(rank) : ` ${word(rank)}`;
  }
  return text;
}
