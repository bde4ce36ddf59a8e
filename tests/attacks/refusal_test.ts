import assert from "node:assert/strict";
import { once } from "node:events";
import tls from "node:tls";
import { asVersion1 } from "../support/forged_certificates.ts";
import { RawTls, type Shown } from "../support/raw_tls.ts";
import { ALPN_PROTOCOL } from "../../lib/wire/session.ts";
import type { Identity } from "../../lib/identity/identity.ts";
import { eventually, Lan, newIdentity, opening, type Person } from "./fixtures.ts";

const NO_SESSION = /did not become a session/;

/** What a connection carries until it ends, and the alert at its end, if there is one. */
async function rest(raw: RawTls): Promise<{ came: string; alert: number | undefined }> {
  let came = "";
  for (let text; (text = await raw.read()) !== null;) came += text;
  return { came, alert: raw.alert };
}

/** Dials alice with a certificate that she refuses. */
async function dialling(alice: Person, shown: Shown) {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: alice.node.tcpPort });
  const before = alice.refused(NO_SESSION);
  using raw = await RawTls.client(connection, shown);
  const end = await rest(raw);
  await eventually(() => alice.refused(NO_SESSION) > before, "the handshake is refused");
  return end;
}

Deno.test("whoever is refused learns no reason, neither by an alert nor by a line", async () => {
  const nothing = { came: "", alert: undefined };
  const lan = new Lan();
  await using alice = await lan.start("alice");
  const [bob, carol, mallory] = [await newIdentity(), await newIdentity(), await newIdentity()];
  const shown = { certificate: bob.certificateDer, keyPem: bob.keyPem };
  const version1 = { ...shown, certificate: asVersion1(bob.certificateDer) };
  assert.deepEqual(await dialling(alice, version1), nothing, "version 1");
  assert.deepEqual(await dialling(alice, { ...shown, keyPem: mallory.keyPem }), nothing, "stolen");
  alice.known.block(bob.id);
  assert.deepEqual(await dialling(alice, shown), nothing, "blocked");

  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await lan.announce("mallory", listener.addr.port, mallory.id);
  await alice.seen((event) => event.type === "peer_up");
  for (const what of ["another id", "the same once more"]) {
    const sent = assert.rejects(alice.node.send("mallory", "hi"), /it proved another id/);
    using raw = await RawTls.server(await listener.accept(), {
      certificate: carol.certificateDer,
      keyPem: carol.keyPem,
    });
    assert.deepEqual(await rest(raw), nothing, what);
    await sent;
  }
  const warnings = alice.events.filter((event) =>
    event.type === "problem" && event.message.includes("it proved another id")
  );
  assert.equal(warnings.length, 1, "the user is told once");
});

Deno.test("a peer that has blocked the user is said to be there and to take no session", async () => {
  const lan = new Lan();
  await using alice = await lan.start("alice");
  await using bob = await lan.start("bob");
  bob.known.block(alice.identity.id);
  await alice.seen((event) => event.type === "peer_up");
  await assert.rejects(
    alice.node.send("bob", "hi"),
    /^ConnectError: Cannot begin a session with "bob" at 127\.0\.0\.1:\d+: .*; has it blocked this identity\?$/,
  );
  assert.deepEqual(bob.heard, []);
});

/** Accepts as bob with the runtime's TLS, without asking for a certificate. */
async function careless(lan: Lan, alice: Person, bob: Identity, keys: Identity) {
  const came: string[] = [];
  const shown: unknown[] = [];
  const server = tls.createServer({
    cert: keys.certificatePem,
    key: keys.keyPem,
    requestCert: false,
    ALPNProtocols: [ALPN_PROTOCOL],
  }, (socket) => {
    shown.push(socket.getPeerCertificate());
    socket.on("error", () => {});
    socket.on("data", (bytes: Uint8Array) => {
      came.push(new TextDecoder().decode(bytes));
      if (came.join("").includes('"message"')) socket.write('{"type":"ack","seq":1}\n');
    });
    socket.write(opening("bob", "who are you?"));
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  await lan.announce("bob", (server.address() as { port: number }).port, bob.id);
  await alice.seen((event) => event.type === "peer_up" && event.peer.id === bob.id);
  const result = await alice.node.send("bob", "secret").then(() => "sent", String);
  server.close();
  return { result, came: came.join(""), shown };
}

Deno.test("a server that asks for no certificate has to prove its id all the same, and learns nobody's", async () => {
  const [bob, mallory] = [await newIdentity(), await newIdentity()];
  {
    const lan = new Lan();
    await using alice = await lan.start("alice");
    const { result, came } = await careless(lan, alice, bob, mallory);
    assert.match(result, /^ConnectError: Cannot connect to "bob" at .*it proved another id, /);
    assert.equal(came, "");
    assert.deepEqual(alice.heard, []);
  }
  const lan = new Lan();
  await using alice = await lan.start("alice");
  const { result, came, shown } = await careless(lan, alice, bob, bob);
  assert.equal(result, "sent");
  assert.match(came, /"hello".*\n.*"secret"/);
  assert.deepEqual(shown, [{}], "alice shows nothing that she is not asked for");
  await alice.hears("bob: who are you?");
});
