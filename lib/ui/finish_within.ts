import type { Clock } from "../base/clock.ts";

/**
 * Waits for work that may never end: once `signal` asks to end, only `ms` milliseconds more.
 *
 * @returns Whether the work is done.
 */
export async function finishWithin(
  clock: Clock,
  work: Promise<void>,
  ms: number,
  signal: AbortSignal,
): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  let cancel = () => {};
  const onAbort = () => cancel = clock.after(ms, () => late.resolve(false));
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  const isDone = await Promise.race([work.then(() => true), late.promise]);
  cancel();
  signal.removeEventListener("abort", onAbort);
  return isDone;
}
