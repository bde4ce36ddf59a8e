import { InvalidInputError } from "../errors.ts";
import { lineAndColumn, type Path, Places } from "./locate.ts";
import { shown } from "./shown.ts";

/** Something that is wrong with an otherwise readable configuration. */
export interface Problem {
  readonly path: Path;
  /** What to point at. */
  readonly at: "key" | "value";
  /**
   * Says what is wrong.
   *
   * @param written The value as the file has it; none for tables that headers or dotted keys make.
   */
  describe(written: string | undefined): string | Promise<string>;
}

/** So many problems are told; whoever has more mends these first. */
const MAX_PROBLEMS = 10;

/** The error that tells the problems in the order of the file, one line each. */
export async function problemsError(
  file: string,
  text: string,
  problems: readonly Problem[],
): Promise<InvalidInputError> {
  const places = new Places(text);
  const placed = problems.map((problem) => {
    const { key, value } = places.get(problem.path) ?? {};
    const offset = problem.at === "key" ? key ?? 0 : value?.[0] ?? key ?? 0;
    return { problem, offset, written: value && shown(text.slice(...value)) };
  }).sort((a, b) => a.offset - b.offset);
  const lines = await Promise.all(
    placed.slice(0, MAX_PROBLEMS).map(async ({ problem, offset, written }) => {
      const { line, column } = lineAndColumn(text, offset);
      return `${cannotLoad(file, line, column)}: ${await problem.describe(written)}`;
    }),
  );
  const more = problems.length - MAX_PROBLEMS;
  if (more > 0) lines.push(`${cannotLoad(file)}: ${more} more problems`);
  return new InvalidInputError(lines.join("\n"));
}

/** Begins a line about a configuration file, or about a place in it. */
export function cannotLoad(file: string, line?: number, column?: number): string {
  // 4096 bytes is the longest path of most systems.
  const place = line === undefined ? "" : `:${line}:${column}`;
  return `Cannot load ${shown(file, 4096)}${place}`;
}
