/** Tells the user, once, that nothing can be stored: whatever comes or goes until it can again. */
export class DiskTrouble {
  #isTold = false;

  /** @param tell Takes what the user is to know. */
  constructor(private readonly tell: (message: string) => void) {}

  /** @param reason Why something could not be stored, and what to do about it. */
  failed(reason: string): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.tell(
      `${reason}. Until that works again messages are shown, and sent to who is there, but ` +
        "neither kept nor confirmed",
    );
  }

  /** Something was stored. */
  worked(): void {
    this.#isTold = false;
  }
}
