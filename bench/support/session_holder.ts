/**
 * Holds every session that comes, as if each came from a host of its own. Prints its port and its
 * id, and for each line of input how many it holds. Ends with its input.
 *
 * @module
 */
import { systemClock } from "../../lib/base/clock.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { Refusals } from "../../lib/base/refusals.ts";
import { silentLog } from "../../lib/base/log.ts";
import { makeCertificate } from "../../lib/identity/certificate_maker.ts";
import { Intake } from "../../lib/peer/intake.ts";
import { Sessions } from "../../lib/peer/sessions.ts";
import type { Stream } from "../../lib/transport/stream.ts";
import { tcpTransport } from "../../lib/transport/tcp.ts";
import { secure } from "../../lib/transport/tls.ts";
import { identifyCertificate, peerIdOfCertificate } from "../../lib/wire/certificate.ts";

const credentials = await makeCertificate(systemRandom);
const ownId = await peerIdOfCertificate(credentials.certificateDer);
const refusals = new Refusals(systemClock, silentLog);
const sessions = new Sessions({
  clock: systemClock,
  random: systemRandom,
  refusals,
  transport: tcpTransport,
  upgrade: (stream, role, judge, signal) =>
    secure(stream, { clock: systemClock, credentials, role, judge, signal }),
  identify: identifyCertificate,
  ownId,
  nickname: "holder",
  instance: "0123456789abcdef",
  maxContentBytes: 65_536,
  find: () => undefined,
  objection: () => undefined,
  intake: new Intake(refusals, () => undefined),
  onMessage: () => true,
  onEstablished() {},
  onEnded() {},
  onImpostor() {},
});
using listener = tcpTransport.listen({ hostname: "127.0.0.1", port: 0 });
console.log(`${listener.address.port} ${ownId}`);

let count = 0;
(async () => {
  while (true) {
    const stream = await listener.accept();
    const hostname = `10.0.${count >> 8}.${count++ & 255}`;
    void sessions.accept(from(stream, hostname));
  }
})();

/** The same stream, with another address at its other end. */
function from(stream: Stream, hostname: string): Stream {
  return {
    local: stream.local,
    remote: { hostname, port: stream.remote.port },
    read: (buffer) => stream.read(buffer),
    write: (bytes) => stream.write(bytes),
    closeWrite: () => stream.closeWrite(),
    close: () => stream.close(),
    [Symbol.dispose]: () => stream.close(),
  };
}

for await (const _ of Deno.stdin.readable) console.log(sessions.count);
Deno.exit(0);
