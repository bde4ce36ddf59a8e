import config from "./deno.json" with { type: "json" };
import { requireDeno } from "./lib/base/runtime.ts";
import { isVersionRequest } from "./lib/base/version_flag.ts";

// What follows is loaded by and by, so that an old Deno gets as far as being told, and
// `--version` and `--help` do not wait for a server.
requireDeno();
if (isVersionRequest(Deno.args)) {
  console.log(config.version);
  Deno.exit(0);
}
const { readServerCommand } = await import("./lib/server/command.ts");
const { openLog, writeToStderr } = await import("./lib/logging.ts");

const write = {
  out(text: string) {
    try {
      Deno.stdout.writeSync(new TextEncoder().encode(text));
    } catch {
      // Nobody reads where it serves; it serves all the same.
    }
  },
  err: writeToStderr,
};
const line = readServerCommand(Deno.args, config.version, write);
if ("exit" in line) Deno.exit(line.exit);
const { runServer } = await import("./lib/server/run.ts");
Deno.exit(await runServer(line.run, await openLog({ level: line.run.logLevel }), write));
