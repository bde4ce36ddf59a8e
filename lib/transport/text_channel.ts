/** A connection that carries whole texts both ways, such as a WebSocket. */
export interface TextChannel extends AsyncDisposable {
  /**
   * What the other side sends. Ends when it closes the connection.
   *
   * @throws While iterating, when the connection breaks or a limit is exceeded.
   */
  readonly messages: AsyncIterable<string>;
  /** Sends one text; lost if the connection is ending. */
  send(text: string): void;
}

/**
 * Opens a channel.
 *
 * @param url `ws://` or `wss://`.
 * @param signal Gives up by rejecting; nothing stays open then.
 */
export type DialTextChannel = (url: string, signal: AbortSignal) => Promise<TextChannel>;
