/**
 * A version 1 bootstrap server as a process, so that it can live on another host: its options
 * come as JSON in the first argument, what it notices goes to standard output.
 *
 * @module
 */

import { driven, print } from "./driven.ts";
import { V1BootstrapServer } from "./v1_bootstrap_server.ts";

const server = new V1BootstrapServer(JSON.parse(Deno.args[0]), print);
print({ event: "ready", port: server.port });
await driven(() => {});
await server[Symbol.asyncDispose]();
Deno.exit(0);
