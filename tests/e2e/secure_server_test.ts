import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { startClient, startServer } from "../support/program.ts";
import { sessionTest } from "../support/sessions.ts";

/** Certificates for `localhost` of an authority that only these tests trust; valid from 2020 to 2120. */
function file(name: string): string {
  return fileURLToPath(new URL(`../support/certificates/${name}`, import.meta.url));
}

function start() {
  return startServer({
    args: [
      ...["--host", "127.0.0.1", "--port", "0"],
      ...["--cert", file("localhost.pem"), "--key", file("localhost.key.pem")],
    ],
  });
}

sessionTest("clients talk through a server with TLS", async () => {
  await using server = start();
  const port = /wss:\/\/\S+:(\d+)/.exec(await server.waitForText(/wss:\/\/\S+:\d+/))![1];
  const client = (nickname: string) =>
    startClient(nickname, {
      args: ["--mode", "internet", "--bootstrap-server", `wss://localhost:${port}`],
      env: { DENO_CERT: file("authority.pem") },
    });
  await using alice = client("alice");
  await alice.waitFor({ event: "bootstrap", state: "registered" });
  await using bob = client("bob");
  await bob.waitFor({ event: "peer_up", nickname: "alice", via: "bootstrap" });
  await bob.send({ command: "send", to: "alice", content: "over TLS" });
  await alice.waitFor({ event: "message", from: "bob", content: "over TLS" });
});

Deno.test("a server whose certificate nobody vouches for is not used", async () => {
  await using server = start();
  const port = /wss:\/\/\S+:(\d+)/.exec(await server.waitForText(/wss:\/\/\S+:\d+/))![1];
  await using alice = startClient("alice", {
    args: ["--mode", "internet", "--bootstrap-server", `wss://localhost:${port}`],
  });
  await alice.waitFor({ event: "bootstrap", state: "connecting" });
  await alice.waitFor((event) => event.event === "error" || event.state === "disconnected");
  assert.deepEqual(alice.all({ state: "registered" }), []);
});
