import { requireDeno } from "./lib/base/runtime.ts";
import { isVersionRequest } from "./lib/base/version_flag.ts";
import config from "./deno.json" with { type: "json" };

// What follows is loaded when it is needed, so that an old Deno gets as far as being told.
requireDeno();
if (isVersionRequest(Deno.args)) {
  console.log(config.version);
} else {
  const { runClient } = await import("./lib/client.ts");
  Deno.exit(await runClient(Deno.args, config.version));
}
