/** Every so many messages one is long, so that kills and cuts hit the middle of lines, too. */
const LONG_EVERY = 37;
const LONG_LENGTH = 20_000;

/** The text of a numbered message: everything that it says follows from its sender and number. */
export function contentOf(sender: string, number: number): string {
  const filler = number % LONG_EVERY === 0 ? "x".repeat(LONG_LENGTH) : "…";
  return `${sender} ${number} ${filler}`;
}

/**
 * The number of a message.
 *
 * @throws When it is not, to the last character, what its sender wrote.
 */
export function numberOf(sender: string, content: unknown): number {
  const text = String(content);
  const number = Number(/^\S+ (\d+) /.exec(text)?.[1]);
  if (text === contentOf(sender, number)) return number;
  throw new Error(`not what ${sender} wrote: ${JSON.stringify(text.slice(0, 100))}`);
}
