/** Randomness as a dependency, so that tests can repeat a run. */
export interface Random {
  /** A number from 0 (included) to 1 (excluded), uniformly distributed. */
  float(): number;
  /** `length` unpredictable bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

/** The platform's generators. */
export const systemRandom: Random = {
  float: () => Math.random(),
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};

/** `length` random bytes in lower-case hexadecimal. */
export function randomHex(random: Random, length: number): string {
  return random.bytes(length).toHex();
}
