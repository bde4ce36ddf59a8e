/**
 * The candidates that a mistyped word may have meant: at most a third of its characters differ (in
 * a short word one), or the candidate starts with it. Two letters that changed places count as one
 * difference, case as none. Best first: the word itself, then by what differs, where a missing end
 * counts like one character.
 *
 * @param word What was typed; above 64 characters nothing is near.
 * @param candidates What exists; one above 64 characters is never near.
 * @param most How many to return.
 */
export function nearest(word: string, candidates: Iterable<string>, most = 3): string[] {
  if (word.length > MAX_LENGTH) return [];
  const wanted = word.toLowerCase();
  const scored: { candidate: string; score: number }[] = [];
  for (const candidate of candidates) {
    if (candidate.length > MAX_LENGTH) continue;
    const other = candidate.toLowerCase();
    const begins = wanted !== "" && other !== wanted && other.startsWith(wanted);
    const score = begins ? 1 : distance(wanted, other);
    if (score <= Math.max(1, Math.floor(wanted.length / 3))) scored.push({ candidate, score });
  }
  return scored.sort((a, b) => a.score - b.score).slice(0, most).map(({ candidate }) => candidate);
}

/** The distance costs the product of both lengths. */
const MAX_LENGTH = 64;

/**
 * Optimal string alignment: how many insertions, deletions, substitutions and swaps of neighbours
 * turn `a` into `b`. Written here because the libraries for it know no swaps, and cost 20 ms of
 * every start.
 */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const differs = a[row - 1] === b[column - 1] ? 0 : 1;
      let least = Math.min(above[column] + 1, current[column - 1] + 1, above[column - 1] + differs);
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] &&
        a[row - 2] === b[column - 1];
      if (isSwap) least = Math.min(least, before[column - 2] + 1);
      current.push(least);
    }
    before = above;
    above = current;
  }
  return above[b.length];
}
