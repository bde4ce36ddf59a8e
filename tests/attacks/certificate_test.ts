import assert from "node:assert/strict";
import { once } from "node:events";
import tls from "node:tls";
import type { Identity } from "../../lib/identity/identity.ts";
import { peerIdOfCertificate } from "../../lib/wire/certificate.ts";
import { ALPN_PROTOCOL } from "../../lib/wire/session.ts";
import {
  asVersion1,
  certificatePem,
  EXTENSIONS,
  withBrokenVersions,
  withExtensions,
} from "../support/forged_certificates.ts";
import { RawTls, type Shown } from "../support/raw_tls.ts";
import {
  assertKnows,
  eventually,
  Lan,
  newIdentity,
  opening,
  PATIENCE_MS,
  type Person,
  talk,
} from "./fixtures.ts";

const NO_SESSION = /did not become a session/;

/** Alice and carol, who talk to each other; bob is who others pretend to be. */
async function scene() {
  const stack = new AsyncDisposableStack();
  const lan = new Lan();
  const alice = stack.use(await lan.start("alice"));
  const carol = stack.use(await lan.start("carol"));
  await talk(alice, carol, "before");
  const [bob, mallory] = [await newIdentity(), await newIdentity()];
  return { lan, alice, carol, bob, mallory, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** The attack came to nothing, and nobody else has noticed it. */
async function assertUnharmed(alice: Person, carol: Person): Promise<void> {
  await talk(alice, carol, "after");
  assert.deepEqual(alice.heard, ["carol: before (known)", "carol: after (known)"]);
  const introduced = alice.events.flatMap((event) =>
    event.type === "identity" ? [event.nickname] : []
  );
  assert.deepEqual(introduced, ["carol"]);
  await assertKnows(alice, carol);
}

/** Dials alice, and says bob's first lines; resolves with what comes back once it is over. */
async function pretendToDial(
  alice: Person,
  shown: Shown,
): Promise<{ back: string }> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: alice.node.tcpPort });
  const refusedBefore = alice.refused(NO_SESSION);
  using raw = await RawTls.client(connection, shown);
  await raw.write(opening("bob", "I am bob")).catch(() => {});
  let back = "";
  for (let text; (text = await raw.read()) !== null;) back += text;
  await eventually(() => alice.refused(NO_SESSION) > refusedBefore, "the handshake is refused");
  assert.match(alice.log.join("\n"), NO_SESSION, "the user can read of it");
  return { back };
}

/** Is announced as bob, and waits for alice's message; resolves with the error and what came. */
async function pretendToBe(
  lan: Lan,
  alice: Person,
  bob: Identity,
  shown: Shown,
): Promise<{ error: Error; came: string }> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = (async () => {
    using connection = await listener.accept();
    try {
      using raw = await RawTls.server(connection, shown);
      await raw.write(opening("bob", "I am bob")).catch(() => {});
      let came = "";
      for (let text; (text = await raw.read()) !== null;) came += text;
      return { came };
    } catch {
      return { came: "" };
    }
  })();
  await lan.announce("bob", listener.addr.port, bob.id);
  const error = await alice.node.send("bob", "secret").then(
    () => assert.fail("sent"),
    (error) => error as Error,
  );
  return { error, ...await accepted };
}

Deno.test("the attacker of these tests gets through with a certificate of its own", async () => {
  await using world = await scene();
  const { lan, alice, mallory } = world;
  const shown = { certificate: mallory.certificateDer, keyPem: mallory.keyPem };
  {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: alice.node.tcpPort });
    using raw = await RawTls.client(connection, shown);
    await raw.write(opening("mallory", "by dialling"));
    await alice.hears("mallory: by dialling");
    assert.deepEqual(
      raw.peerCertificate && new Uint8Array(raw.peerCertificate),
      alice.identity.certificateDer,
    );
  }
  const dave = await newIdentity();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await lan.announce("dave", listener.addr.port, dave.id);
  await alice.seen((event) => event.type === "peer_up" && event.peer.id === dave.id);
  const sent = alice.node.send("dave", "hello");
  using raw = await RawTls.server(await listener.accept(), {
    certificate: dave.certificateDer,
    keyPem: dave.keyPem,
  });
  await raw.write(opening("dave", "by being dialled") + '{"type":"ack","seq":1}\n');
  await sent;
  await alice.hears("dave: by being dialled");
});

Deno.test("a stolen certificate with a foreign key is refused when it dials", async () => {
  await using world = await scene();
  const { alice, carol, bob, mallory } = world;
  const shown = { certificate: bob.certificateDer, keyPem: mallory.keyPem };
  assert.equal((await pretendToDial(alice, shown)).back, "");
  assert.match(
    alice.log.join(),
    /did not become a session: 127\.0\.0\.1:\d+: .*did not prove the key/,
  );
  await assertUnharmed(alice, carol);
});

Deno.test("a stolen certificate with a foreign key is refused when it is dialled", async () => {
  await using world = await scene();
  const { lan, alice, carol, bob, mallory } = world;
  const shown = { certificate: bob.certificateDer, keyPem: mallory.keyPem };
  const { error, came } = await pretendToBe(lan, alice, bob, shown);
  assert.match(
    error.message,
    /^Cannot connect to "bob" at 127\.0\.0\.1:\d+ \(.*did not prove the key/,
  );
  assert.equal(came, "");
  await assertUnharmed(alice, carol);
});

Deno.test("a version 1 certificate around the victim's key is refused when it dials", async () => {
  await using world = await scene();
  const { alice, carol, bob, mallory } = world;
  const shown = { certificate: asVersion1(bob.certificateDer), keyPem: mallory.keyPem };
  assert.equal((await pretendToDial(alice, shown)).back, "");
  await assertUnharmed(alice, carol);
});

Deno.test("a version 1 certificate around the victim's key is refused when it is dialled", async () => {
  await using world = await scene();
  const { lan, alice, carol, bob, mallory } = world;
  const shown = { certificate: asVersion1(bob.certificateDer), keyPem: mallory.keyPem };
  const { error, came } = await pretendToBe(lan, alice, bob, shown);
  assert.match(error.message, /X\.509 version 1/);
  assert.equal(came, "");
  await assertUnharmed(alice, carol);
});

Deno.test("certificates that claim version 3 with broken encoding are refused both ways", async () => {
  await using world = await scene();
  const { lan, alice, carol, bob, mallory } = world;
  for (const certificate of withBrokenVersions(bob.certificateDer)) {
    for (const { keyPem } of [bob, mallory]) {
      const shown = { certificate, keyPem };
      assert.equal((await pretendToDial(alice, shown)).back, "");
      const { error, came } = await pretendToBe(lan, alice, bob, shown);
      assert.match(error.message, /^Cannot connect to "bob"/);
      assert.equal(came, "");
    }
  }
  await assertUnharmed(alice, carol);
});

for (const [name, extensions] of Object.entries(EXTENSIONS)) {
  Deno.test(`a certificate with ${name} is refused both ways, whatever the key`, async () => {
    await using world = await scene();
    const { lan, alice, carol, bob, mallory } = world;
    const certificate = withExtensions(bob.certificateDer, extensions);
    const id = await peerIdOfCertificate(certificate); // what is announced, and dialled
    for (const { keyPem } of [bob, mallory]) {
      const shown = { certificate, keyPem };
      assert.equal((await pretendToDial(alice, shown)).back, "");
      const { error, came } = await pretendToBe(lan, alice, { ...bob, id }, shown);
      assert.match(error.message, /^Cannot connect to "bob"/);
      assert.equal(came, "");
    }
    await assertUnharmed(alice, carol);
  });
}

Deno.test("who shows no certificate is refused both ways", async () => {
  await using world = await scene();
  const { lan, alice, carol, bob, mallory } = world;
  const shown = { keyPem: mallory.keyPem };
  assert.equal((await pretendToDial(alice, shown)).back, "");
  const { error, came } = await pretendToBe(lan, alice, bob, shown);
  assert.match(error.message, /^Cannot connect to "bob"/);
  assert.equal(came, "");
  await assertUnharmed(alice, carol);
});

/** How a program with an ordinary TLS library shows itself. */
function options({ certificatePem: cert, keyPem: key }: {
  certificatePem: string;
  keyPem: string;
}): tls.SecureContextOptions & { rejectUnauthorized: false; ALPNProtocols: string[] } {
  return { cert, key, rejectUnauthorized: false, ALPNProtocols: [ALPN_PROTOCOL] };
}

/** Dials alice with the runtime's own TLS; resolves with what she sends until the end. */
async function dialWithLibrary(alice: Person, options: tls.ConnectionOptions): Promise<string> {
  const refusedBefore = alice.refused(NO_SESSION);
  const port = alice.node.tcpPort;
  const socket = tls.connect({ host: "127.0.0.1", port, ...options });
  let back = "";
  socket.on("data", (bytes: Uint8Array) => back += new TextDecoder().decode(bytes));
  socket.on("error", () => {});
  socket.on("secureConnect", () => socket.write(opening("bob", "I am bob")));
  await new Promise((resolve) => socket.on("close", resolve)); // `once` would throw at errors
  await eventually(() => alice.refused(NO_SESSION) > refusedBefore, "the handshake is refused");
  assert.match(alice.log.join("\n"), NO_SESSION, "the user can read of it");
  return back;
}

/** Accepts with the runtime's own TLS while alice sends to bob; resolves with the error and what came. */
async function acceptWithLibrary(
  lan: Lan,
  alice: Person,
  bob: Identity,
  options: tls.TlsOptions,
): Promise<{ error: Error; came: string }> {
  let came = "";
  const server = tls.createServer(options, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes: Uint8Array) => came += new TextDecoder().decode(bytes));
    socket.write(opening("bob", "I am bob"));
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  await lan.announce("bob", (server.address() as { port: number }).port, bob.id);
  await alice.seen((event) => event.type === "peer_up" && event.peer.id === bob.id);
  const error = await alice.node.send("bob", "secret").then(
    () => assert.fail("sent"),
    (error) => error as Error,
  );
  server.close();
  return { error, came };
}

Deno.test("the runtime lets a version 1 certificate around a foreign key through, and Parlance does not", async () => {
  await using world = await scene();
  const { lan, alice, carol, bob, mallory } = world;
  const stolen = options({
    certificatePem: certificatePem(asVersion1(bob.certificateDer)),
    keyPem: mallory.keyPem,
  });
  // Its handshakes do succeed: what follows is not refused by the library.
  const server = tls.createServer({ ...options(bob), requestCert: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const accepted = once(server, "secureConnection");
  const socket = tls.connect({ host: "127.0.0.1", port, ...stolen });
  const [peer] = await accepted as [tls.TLSSocket];
  const { raw } = peer.getPeerCertificate(true);
  assert.deepEqual(new Uint8Array(raw), asVersion1(bob.certificateDer));
  socket.destroy();
  peer.destroy();
  server.close();

  assert.equal(await dialWithLibrary(alice, stolen), "");
  const { error, came } = await acceptWithLibrary(lan, alice, bob, {
    ...stolen,
    requestCert: true,
  });
  assert.match(error.message, /X\.509 version 1/);
  assert.equal(came, "");
  await assertUnharmed(alice, carol);
});

Deno.test("who speaks TLS 1.2 only is refused both ways", async () => {
  await using world = await scene();
  const { lan, alice, carol, bob } = world;
  const old = { ...options(bob), minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;
  assert.equal(await dialWithLibrary(alice, old), "");
  const { error, came } = await acceptWithLibrary(lan, alice, bob, { ...old, requestCert: true });
  assert.match(error.message, /^Cannot connect to "bob"/);
  assert.equal(came, "");
  await assertUnharmed(alice, carol);
});

Deno.test("who does not agree on the protocol gets no session", async () => {
  await using world = await scene();
  const { lan, alice, carol, bob } = world;
  const other = { ...options(bob), ALPNProtocols: ["http/1.1"] };
  assert.equal(await dialWithLibrary(alice, other), "");
  const { error, came } = await acceptWithLibrary(lan, alice, bob, { ...other, requestCert: true });
  assert.match(error.message, /^Cannot connect to "bob"/);
  assert.equal(came, "");
  await assertUnharmed(alice, carol);
});

Deno.test("no session is resumed: each one shows the certificates again", async () => {
  await using world = await scene();
  const { alice, bob, carol } = world;
  let ticket: Uint8Array | undefined;
  for (const text of ["first", "second"]) {
    const socket = tls.connect({
      host: "127.0.0.1",
      port: alice.node.tcpPort,
      session: ticket as never,
      ...options(bob),
    });
    socket.on("session", (session: Uint8Array) => ticket = session);
    socket.on("error", () => {});
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(PATIENCE_MS) });
    assert.equal(socket.isSessionReused(), false);
    const { raw } = socket.getPeerCertificate(true);
    assert.deepEqual(new Uint8Array(raw), alice.identity.certificateDer);
    socket.write(opening("bob", text));
    const event = await alice.hears(`bob: ${text}`);
    assert.ok(event.type === "message" && event.id === bob.id);
    ticket ??= socket.getSession();
    socket.destroy();
  }
  await talk(alice, carol, "after");
});
