import { dirname } from "node:path";

/** Only one-shot commands that read are ever beside the client, and they hold it up for moments. */
export const BUSY_TIMEOUT_MS = 500;

/** Of the file in which the users of a WAL share its index, at least, in bytes. */
const SHARED_BYTES = 32 * 1024;

/** Whether somebody uses the WAL, or did and was killed. */
export function hasSharedMemory(path: string): boolean {
  try {
    return Deno.statSync(`${path}-shm`).size >= SHARED_BYTES;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether what SQLite needs beside the file can be made there; a failed attempt leaves pieces. */
export function isRoomBeside(path: string): boolean {
  try {
    requireRoomBeside(path);
    return true;
  } catch {
    return false;
  }
}

/** @throws {Error} Of the file system: there is no room or no permission. */
export function requireRoomBeside(path: string): void {
  const probe = Deno.makeTempFileSync({ dir: dirname(path), prefix: ".history-room-" });
  try {
    const file = Deno.openSync(probe, { write: true });
    try {
      const bytes = new Uint8Array(SHARED_BYTES);
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    } finally {
      file.close();
    }
  } finally {
    Deno.removeSync(probe);
  }
}
