/**
 * Sends numbered messages one after the other, a connection for each, as version 1 does. A worker,
 * so that it goes on while the thread of the test stands still.
 *
 * @module
 */
import { sendV1 } from "./v1_messages.ts";

/** What the worker is asked by its one message. */
export interface Burst {
  readonly port: number;
  readonly count: number;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<Burst>) => void;
  postMessage(message: string): void;
};

scope.onmessage = async ({ data: { port, count } }) => {
  for (let number = 0; number < count; number++) {
    await sendV1({ hostname: "127.0.0.1", port }, "version-1", String(number));
  }
  scope.postMessage("sent");
};
