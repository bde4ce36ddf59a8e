import type { Log } from "./base/log.ts";
import { printable } from "./base/printable.ts";

/** What `--log-level` takes: each level shows itself and those behind it. */
export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;
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
  await configure({
    reset: true,
    sinks: {
      lines: ({ level, timestamp, properties }) => {
        write(
          `${new Date(timestamp).toISOString()} ${level} ${printable(String(properties.text))}\n`,
        );
      },
    },
    loggers: [
      { category: "parlance", sinks: ["lines"], lowestLevel: level },
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

/**
 * The same log, opened by its first entry at or above the level: a run that has nothing to log
 * does not load the library. Entries until then are kept and written in order.
 */
export function lazyLog(options: LogOptions): Log {
  let opened: Promise<Log> | undefined;
  const wanted = LOG_LEVELS.indexOf(options.level);
  const entry = (level: LogLevel, write: (log: Log, text: string) => void) => (text: string) => {
    if (LOG_LEVELS.indexOf(level) < wanted) return;
    opened ??= openLog(options);
    void opened.then((log) => write(log, text));
  };
  return {
    debug: entry("debug", (log, text) => log.debug(text)),
    info: entry("info", (log, text) => log.info(text)),
    warn: entry("warning", (log, text) => log.warn(text)),
    error: entry("error", (log, text) => log.error(text)),
  };
}

const encoder = new TextEncoder();

/** Writes a line to standard error; never throws. */
export function writeToStderr(line: string): void {
  const bytes = encoder.encode(line);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
  } catch {
    // Nobody reads the log any more; that is no reason to stop.
  }
}
