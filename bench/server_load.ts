import type { Bench, Row } from "./support/bench.ts";
import { fromSource, ROOT } from "./support/workspace.ts";

/** The bootstrap server under load: a program of its own, which prints its figures itself. */
export const serverLoad: Bench = {
  name: "server",
  title: "the bootstrap server and version 1 clients that poll it every 5 s",
  run: measure,
};

async function measure(): Promise<Row[]> {
  if (Deno.build.os !== "linux") {
    return [{ what: "figures of another process", measured: "-", compared: "read on Linux only" }];
  }
  const { command, args } = fromSource("bench/server.ts");
  const child = new Deno.Command(command, { args: [...args], cwd: ROOT, stdout: "piped" }).spawn();
  let text = "";
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    await Deno.stdout.write(new TextEncoder().encode(part.replace(/^(?=.)/gm, "  ")));
  }
  const { success } = await child.status;
  if (!success) throw new Error("The benchmark of the server has failed");
  if (text.includes("LOST")) throw new Error("The server has lost clients");
  return [];
}
