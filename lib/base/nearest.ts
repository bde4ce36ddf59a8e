import { distance } from "fastest-levenshtein";

/**
 * The candidates that a mistyped word may have meant: at most a third of its characters differ (in
 * a short word one), or the candidate starts with it. Case does not matter. Best first: the word
 * itself, then by what differs, where a missing end counts like one character.
 *
 * @param word What was typed; above 64 characters nothing is near.
 * @param candidates What exists.
 * @param most How many to return.
 */
export function nearest(word: string, candidates: Iterable<string>, most = 3): string[] {
  if (word.length > 64) return []; // the distance costs the product of both lengths
  const wanted = word.toLowerCase();
  const scored: { candidate: string; score: number }[] = [];
  for (const candidate of candidates) {
    const other = candidate.toLowerCase();
    const begins = wanted !== "" && other !== wanted && other.startsWith(wanted);
    const score = begins ? 1 : distance(wanted, other);
    if (score <= Math.max(1, Math.floor(wanted.length / 3))) scored.push({ candidate, score });
  }
  return scored.sort((a, b) => a.score - b.score).slice(0, most).map(({ candidate }) => candidate);
}
