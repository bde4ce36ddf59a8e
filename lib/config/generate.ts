import { InvalidInputError, messageOf } from "../errors.ts";
import { DEFAULT_FILE } from "./default_file.ts";

/**
 * Writes the commented default configuration to a new file.
 *
 * @throws {InvalidInputError} The file exists already or cannot be written.
 */
export async function generateConfiguration(path: string): Promise<void> {
  try {
    await Deno.writeTextFile(path, DEFAULT_FILE, { createNew: true });
  } catch (error) {
    throw new InvalidInputError(`Cannot write ${path}: ${writeProblem(error)}`, { cause: error });
  }
}

/** Says why a new file cannot be written, and what to do. */
export function writeProblem(error: unknown): string {
  if (error instanceof Deno.errors.AlreadyExists) {
    return "it exists already; remove it first or choose another name";
  }
  if (error instanceof Deno.errors.NotFound) return "its directory does not exist; make it first";
  if (error instanceof Deno.errors.NotADirectory) return "its directory is a file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory; name a file in it";
  if (error instanceof Deno.errors.PermissionDenied) return "no permission to write there";
  return messageOf(error);
}
