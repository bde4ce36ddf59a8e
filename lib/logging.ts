import type { Log } from "./base/log.ts";

/** What `--log-level` takes: each level shows itself and those before it. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

/** How the log is kept. */
export interface LogOptions {
  readonly level: LogLevel;
  /** Takes one line with its newline; standard error unless given. Must not throw. */
  readonly write?: (line: string) => void;
}

/**
 * Opens the program's log: one line per entry, with time, level and text. Text in it may come from
 * outside, so what could break the line or steer a terminal is shown escaped.
 *
 * The logging library is loaded here and configured for the whole process, so only an entry file
 * calls this, once; a later call replaces the earlier log.
 */
export async function openLog({ level, write = writeToStderr }: LogOptions): Promise<Log> {
  const { configure, getLogger } = await import("@logtape/logtape");
  const lowestLevel = level === "warn" ? "warning" : level;
  await configure({
    reset: true,
    sinks: {
      lines: ({ level, timestamp, properties }) => {
        const name = level === "warning" ? "warn" : level;
        write(
          `${new Date(timestamp).toISOString()} ${name} ${printable(String(properties.text))}\n`,
        );
      },
    },
    loggers: [
      { category: "parlance", sinks: ["lines"], lowestLevel },
      // What the library says about itself goes the same way, without its notes on being set up.
      { category: ["logtape", "meta"], sinks: ["lines"], lowestLevel: "error" },
    ],
  });
  const logger = getLogger("parlance");
  // The text is a property, not the template: braces in it are to mean nothing.
  return {
    debug: (text) => logger.debug("{text}", { text }),
    info: (text) => logger.info("{text}", { text }),
    warn: (text) => logger.warn("{text}", { text }),
    error: (text) => logger.error("{text}", { text }),
  };
}

/** Shows control characters, line and bidi controls and lone surrogates as `\u{…}`. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

const encoder = new TextEncoder();

function writeToStderr(line: string): void {
  const bytes = encoder.encode(line);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
  } catch {
    // Nobody reads the log any more; that is no reason to stop.
  }
}
