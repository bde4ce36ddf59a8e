import { ParlanceError } from "../errors.ts";

/**
 * Writes a whole file so that a crash, at any moment, leaves the old content or the new one:
 * into a temporary file beside it, flushed to the disk, and renamed. Only one writer at a time may
 * do so for a path; the profile's lock sees to that between processes.
 *
 * @param mode Of the new file, whatever an older one had; ignored on Windows.
 */
export async function writeAtomically(
  path: string,
  bytes: Uint8Array,
  mode: number,
): Promise<void> {
  const temporary = `${path}.tmp`;
  await removeIfThere(temporary); // one that a crash left behind may have another mode
  try {
    {
      using file = await Deno.open(temporary, { write: true, createNew: true, mode });
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
    }
    await renameForGood(temporary, path);
  } catch (error) {
    await removeIfThere(temporary).catch(() => {}); // the first error is the one that says why
    throw error;
  }
}

/** Renames a file within its directory, and sees to it that this lasts. */
export async function renameForGood(from: string, to: string): Promise<void> {
  await Deno.rename(from, to);
  await syncDirectory(to.replace(/[/\\][^/\\]*$/, "") || "/");
}

/** Makes a rename last through a power failure; some systems cannot open directories. */
async function syncDirectory(directory: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using handle = await Deno.open(directory, { read: true });
  await handle.sync().catch(() => {}); // some file systems refuse; the content is safe anyway
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Reads a file of a profile, or returns `undefined` where there is none.
 *
 * @param most In bytes; a larger file is refused before it is read.
 * @throws {ParlanceError} It is too large, no file, not UTF-8, or cannot be read.
 */
export async function readProfileFile(path: string, most: number): Promise<string | undefined> {
  try {
    // Before it is opened: to open a pipe would be to wait for somebody at its other end.
    const { isFile } = await Deno.stat(path);
    if (!isFile) throw new ParlanceError("it is not a file");
    using file = await Deno.open(path, { read: true });
    const { size } = await file.stat();
    if (size > most) throw new ParlanceError(`it has more than ${most} bytes`);
    const bytes = new Uint8Array(size);
    let length = 0;
    while (length < size) {
      const read = await file.read(bytes.subarray(length));
      if (read === null) break;
      length += read;
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, length));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    const why = error instanceof TypeError ? "it is not text" : (error as Error).message;
    throw new ParlanceError(`Cannot read ${path}: ${why}; restore the file or move it away`, {
      cause: error,
    });
  }
}

/**
 * Says why `path` is open to other users of this machine, as "mode 644", or `undefined`. Windows
 * has no such modes; there a profile lies below the user's own directory.
 */
export async function openToOthers(path: string): Promise<string | undefined> {
  if (Deno.build.os === "windows") return undefined;
  const { mode } = await Deno.stat(path);
  if (mode === null || (mode & 0o077) === 0) return undefined;
  return `mode ${(mode & 0o777).toString(8)}`;
}
