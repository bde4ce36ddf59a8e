import { printable } from "../base/printable.ts";
import { messageOf, ParlanceError } from "../errors.ts";
import { checkHistory, type HistoryReport } from "../store/check.ts";
import { exportHistory, type ExportItem } from "../store/export.ts";
import { aborted } from "../ui/ending.ts";
import { wholeMessageText } from "../ui/history_text.ts";
import { describeMessage } from "../ui/json_history.ts";
import { plainStyle } from "../ui/style.ts";
import { type CommandEnvironment, INTERRUPTED, OK } from "./environment.ts";
import { exists } from "./exists.ts";

/** Something could not be read, or is not as it should be; the rest was printed. */
export const IMPERFECT = 1;

/**
 * `parlance history check`: says whether the file is whole. Only reads it, also while a client has
 * it.
 *
 * @throws {StoreError} The file cannot be read at all.
 */
export async function checkCommand(
  path: string,
  { output }: CommandEnvironment,
): Promise<number> {
  await requireFile(path);
  const report = await checkHistory(path);
  output.push(`${reportText(report)}\n`);
  return report.problems.length === 0 ? OK : IMPERFECT;
}

function reportText({ path, version, bytes, problems, ...counts }: HistoryReport): string {
  const { messages, pending, contacts, received } = counts;
  const lines = [
    `${path}: ${(bytes / 1e6).toFixed(1)} MB, version ${version ?? "unknown"}`,
    `  messages          ${countText(messages)}`,
    `  in the outbox     ${countText(pending)}`,
    `  conversations     ${countText(contacts)}`,
    `  ids remembered    ${countText(received)}`,
  ];
  if (problems.length === 0) return [...lines, "Nothing is wrong with it"].join("\n");
  return [
    ...lines,
    "It is damaged:",
    ...problems.map((problem) => `  ${problem}`),
    "Save what is readable with `parlance history export`, then move the file away or restore it " +
    "from a backup",
  ].flatMap((text) => text.split("\n")).map(printable).join("\n");
}

function countText(count: number | undefined): string {
  return count === undefined ? "cannot be counted" : String(count);
}

/**
 * `parlance history export`: prints everything that is readable, and says on standard error what
 * is not. Only reads the file, also while a client has it.
 *
 * @throws {StoreError} The file cannot be read at all.
 */
export async function exportCommand(
  path: string,
  format: "jsonl" | "text",
  { nickname, output, warn, signal }: CommandEnvironment,
): Promise<number> {
  await requireFile(path);
  let isUnread = false;
  void output.closed.then(() => isUnread = true);
  const left = aborted(signal);
  let gaps = 0;
  for await (const item of exportHistory(path)) {
    if (signal.aborted) return INTERRUPTED;
    if (isUnread) break;
    if (item.kind !== "message") {
      gaps++;
      warn(item.kind === "broken" ? brokenText(path, item) : gapText(item));
      continue;
    }
    const { message } = item;
    output.push(
      format === "jsonl"
        ? `${JSON.stringify(describeMessage(message))}\n`
        : `${wholeMessageText({ nickname }, message, plainStyle)}\n`,
    );
    const room = output.ready();
    if (room !== undefined) await Promise.race([room, left]);
  }
  return gaps === 0 ? OK : IMPERFECT;
}

function gapText({ from, to }: ExportItem & { kind: "unreadable" }): string {
  if (to === undefined) {
    return `Cannot tell whether messages from ${from} on are missing: the file is damaged`;
  }
  const which = from === to ? `message ${from}` : `messages ${from} to ${to}`;
  return `Cannot read ${which}: the file is damaged there; what follows is exported`;
}

function brokenText(path: string, { error }: ExportItem & { kind: "broken" }): string {
  return printable(
    `Cannot read all of the history in ${path}: ${
      messageOf(error.cause ?? error)
    }; every message that ` +
      "is found in its pages is exported",
  );
}

async function requireFile(path: string): Promise<void> {
  if (await exists(path)) return;
  throw new ParlanceError(
    `Cannot read the history in ${path}: there is none; choose another profile with ` +
      "--profile NAME, or its place with --data-dir DIR",
  );
}
