/** Most messages that one call reads. */
export const MAX_PAGE = 1_000;
/** Bytes of text that one call reads, unless it says otherwise; one message is always read. */
export const MAX_PAGE_BYTES = 4 * 2 ** 20;

/** A message that might be read or deleted. */
export interface Sized {
  readonly key: number;
  /** Bytes of text. */
  readonly size: number;
}

/** The first of some messages that have no more than so many bytes together, at least one. */
export function fitting<T extends Sized>(messages: readonly T[], maxBytes: number): T[] {
  let bytes = 0;
  const end = messages.findIndex(({ size }, at) => (bytes += size) > maxBytes && at > 0);
  return messages.slice(0, end < 0 ? undefined : end);
}
