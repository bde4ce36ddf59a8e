/** Writes `der` as one PEM block with lines of 64 characters (RFC 7468). */
export function encodePem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/**
 * Reads a text that is one PEM block with this label and nothing else but white space, or returns
 * `undefined`.
 */
export function decodePem(label: string, text: string): Uint8Array<ArrayBuffer> | undefined {
  const [begin, end] = [`-----BEGIN ${label}-----`, `-----END ${label}-----`];
  const trimmed = text.trim();
  if (!trimmed.startsWith(begin) || !trimmed.endsWith(end)) return undefined;
  const base64 = trimmed.slice(begin.length, -end.length);
  try {
    return Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" });
  } catch {
    return undefined;
  }
}
