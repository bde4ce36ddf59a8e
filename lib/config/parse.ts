import { parse, TomlError } from "smol-toml";
import { InvalidInputError, messageOf } from "../errors.ts";
import type { Configuration } from "./configuration.ts";
import { toConfiguration } from "./schema.ts";
import { shown } from "./shown.ts";
import { validate } from "./validate.ts";

/** Tables and lists in one another; the schema needs two, and error messages recurse. */
const MAX_NESTING = 32;

/**
 * Reads the text of a configuration file.
 *
 * @param text TOML 1.0 or 1.1, without a byte order mark.
 * @param file What error messages call the file.
 * @throws {InvalidInputError} A line for each problem, with line and column from 1.
 */
export async function parseConfiguration(text: string, file: string): Promise<Configuration> {
  let document: Record<string, unknown>;
  try {
    document = parse(text, { maxDepth: MAX_NESTING });
  } catch (error) {
    throw await syntaxError(file, text, error);
  }
  const { values, problems } = validate(document);
  if (problems.length === 0) return toConfiguration(values);
  const { problemsError } = await import("./problem.ts");
  throw await problemsError(file, text, problems);
}

async function syntaxError(file: string, text: string, error: unknown): Promise<Error> {
  const { cannotLoad } = await import("./problem.ts");
  const [, cause] = /^(?:Invalid TOML document: )?([^\n]*)/.exec(messageOf(error))!;
  if (!(error instanceof TomlError)) {
    return new InvalidInputError(`${cannotLoad(file)}: not valid TOML: ${cause}`, { cause: error });
  }
  const { line, column } = error;
  const content = text.split("\n", line).at(-1) ?? "";
  // The parser counts UTF-16 units, people count characters.
  const characters = [...content.slice(0, column - 1)].length + 1;
  const advice = cause === "invalid value" ? "; text must stand in quotes" : "";
  const excerpt = content.trim() === "" ? "" : ` in: ${shown(content.trim())}`;
  return new InvalidInputError(
    `${cannotLoad(file, line, characters)}: not valid TOML: ${cause}${advice}${excerpt}`,
    { cause: error },
  );
}
