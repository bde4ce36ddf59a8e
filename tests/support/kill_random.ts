/** Choices that are the same for the same seed. */
export class SeededRandom {
  #state: number;

  /** @param seed A whole number. */
  constructor(seed: number) {
    this.#state = Math.abs(Math.trunc(seed)) % 0x7ffffffe + 1;
    // Neighbouring seeds begin alike.
    for (let turn = 0; turn < 10; turn++) this.float();
  }

  /** From 0 up to 1. */
  float(): number {
    this.#state = (this.#state * 48271) % 0x7fffffff;
    return this.#state / 0x7fffffff;
  }

  /** A whole number, both bounds included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.float() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)];
  }

  /** Another source of choices, so that two programs do not take each other's. */
  fork(): SeededRandom {
    return new SeededRandom(this.between(0, 0x7ffffffe));
  }
}
