import { messageOf, ParlanceError } from "../errors.ts";
import type { Listener, Transport } from "../transport/stream.ts";
import { formatAddress } from "../wire/address.ts";

/**
 * Listens for messages on all IPv4 addresses of this machine.
 *
 * @param port 0 lets the system choose.
 * @throws {ParlanceError} When that is not possible; the message says what to do.
 */
export function listenForMessages(port: number, transport: Transport): Listener {
  const address = { hostname: "0.0.0.0", port };
  try {
    return transport.listen(address);
  } catch (cause) {
    const remedy = port === 0
      ? "does a policy of this system forbid it?"
      : "choose another port with --port, or 0 for any";
    throw new ParlanceError(
      `Cannot listen for messages on TCP ${formatAddress(address)}: ${messageOf(cause)}; ${remedy}`,
      { cause },
    );
  }
}
