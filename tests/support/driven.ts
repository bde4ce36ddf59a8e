import { readLines } from "./v1_json.ts";

/** Prints one object on a line of standard output. */
export function print(event: object): void {
  const bytes = new TextEncoder().encode(JSON.stringify(event) + "\n");
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

/**
 * The main loop of a process that a test drives: one object a line comes in, `quit` or the end of
 * input ends it. What a command throws is printed as an event `error`.
 */
export async function driven(
  command: (object: Record<string, unknown>) => void | Promise<void>,
): Promise<void> {
  for await (const line of readLines(Deno.stdin.readable)) {
    const object = JSON.parse(new TextDecoder().decode(line));
    if (object.command === "quit") return;
    try {
      await command(object);
    } catch (error) {
      print({ event: "error", message: String(error) });
    }
  }
}
