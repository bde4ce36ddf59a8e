/** Causes that are remembered, and those who meet them: how many come and go is up to others. */
const MAX_TOLD = 1000;

/**
 * Tells the user that something cannot be stored, once for each cause: whatever meets it until all
 * who did could store something again.
 */
export class DiskTrouble {
  /** By who has met it, the cause. */
  readonly #met = new Map<string, string>();

  /** @param tell Takes what the user is to know. */
  constructor(private readonly tell: (message: string) => void) {}

  /**
   * @param who Whose messages could not be stored: a damaged page concerns those who meet it.
   * @param reason Why, and what to do about it.
   */
  failed(who: string, reason: string): void {
    if (this.#met.get(who) === reason) return;
    const isTold = [...this.#met.values()].includes(reason);
    this.#met.set(who, reason);
    if (this.#met.size > MAX_TOLD) this.#met.delete(this.#met.keys().next().value!);
    if (isTold) return;
    this.tell(
      `${reason}. Until that works again messages are shown, and sent to who is there, but ` +
        "neither kept nor confirmed",
    );
  }

  /** Something of theirs was stored. */
  worked(who: string): void {
    this.#met.delete(who);
  }
}
