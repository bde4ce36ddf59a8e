const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Reads `bytes` as UTF-8, a byte order mark included, or returns `undefined` where they are not
 * UTF-8.
 *
 * A fatal `TextDecoder` tells the same by an exception, which costs as much as validating 10 KB:
 * a flood of short bad input could use that.
 */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  return isUtf8(bytes) ? decoder.decode(bytes) : undefined;
}

/** Whether `bytes` are UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
export function isUtf8(bytes: Uint8Array): boolean {
  const length = bytes.length;
  let at = 0;
  while (at < length) {
    const lead = bytes[at++];
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const end = at + (lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3);
    if (end > length) return false;
    // Only the byte after the lead can make a form overlong, a surrogate or too large.
    const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (bytes[at] < low || bytes[at] > high) return false;
    for (at++; at < end; at++) {
      if ((bytes[at] & 0xc0) !== 0x80) return false;
    }
  }
  return true;
}
