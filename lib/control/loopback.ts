import { type Random, randomHex } from "../base/random.ts";
import { ConnectionStream } from "../transport/connection.ts";
import { messageOf } from "../errors.ts";
import { readProfileFile, writeAtomically } from "../identity/files.ts";
import { decodeObject } from "../wire/decoded.ts";
import { type ControlEndpoint, ControlError, isNobody, type Secrets } from "./endpoint.ts";

/** In the profile's directory: the port, and what both sides show each other. */
const NAME = "control.json";
const MAX_FILE_BYTES = 1024;
const SECRET_BYTES = 32;
const HOSTNAME = "127.0.0.1";

/**
 * A TCP port on the loopback interface, for systems without Unix sockets. Any user of the machine
 * can connect to it, and after a crash anybody can listen there: so each side first shows a secret
 * from a file that only the profile's owner can read.
 */
export function loopback(random: Random): ControlEndpoint {
  return {
    async listen(directory) {
      const path = `${directory}/${NAME}`;
      const secrets = {
        token: randomHex(random, SECRET_BYTES),
        answer: randomHex(random, SECRET_BYTES),
      };
      const listener = Deno.listen({ hostname: HOSTNAME, port: 0 });
      const { port } = listener.addr;
      try {
        const text = `${JSON.stringify({ port, ...secrets })}\n`;
        await writeAtomically(path, new TextEncoder().encode(text), 0o600);
      } catch (cause) {
        listener.close();
        throw new ControlError(`Cannot write ${path}: ${messageOf(cause)}`, { cause });
      }
      return {
        secrets,
        accept: async () => new ConnectionStream(await listener.accept()),
        async [Symbol.asyncDispose]() {
          listener.close();
          await Deno.remove(path).catch(() => {}); // the next one replaces it
        },
      };
    },
    async dial(directory) {
      const place = parse(await readProfileFile(`${directory}/${NAME}`, MAX_FILE_BYTES));
      if (place === undefined) return undefined;
      const { port, secrets } = place;
      try {
        const stream = new ConnectionStream(await Deno.connect({ hostname: HOSTNAME, port }));
        return { stream, secrets };
      } catch (error) {
        if (isNobody(error)) return undefined;
        throw error;
      }
    },
  };
}

function parse(text: string | undefined): { port: number; secrets: Secrets } | undefined {
  const object = text === undefined ? undefined : decodeObject(text);
  if (!object?.ok) return undefined;
  const { port, token, answer } = object.value;
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65535) return;
  if (typeof token !== "string" || typeof answer !== "string") return undefined;
  return { port, secrets: { token, answer } };
}
