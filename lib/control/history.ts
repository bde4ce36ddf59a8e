import { ParlanceError } from "../errors.ts";
import type { CommandEnvironment } from "./environment.ts";

/** `parlance history` and `parlance search`. */
export type HistoryCommand =
  | {
    readonly name: "history";
    /** Whose conversation; all of them without it. */
    readonly peer?: string;
    /** How many messages. */
    readonly count?: number;
    readonly json: boolean;
  }
  | { readonly name: "search"; readonly query: string; readonly json: boolean }
  | { readonly name: "history-check" }
  | { readonly name: "history-export"; readonly format: "jsonl" | "text" };

/**
 * Reads what is stored.
 *
 * @returns The exit status.
 * @throws {ParlanceError} There is no store yet.
 */
export function runHistoryCommand(
  { name }: HistoryCommand,
  _environment: CommandEnvironment,
): Promise<number> {
  const command = name.replace("-", " ");
  return Promise.reject(new ParlanceError(`Cannot run ${command}: it is not there yet`));
}
