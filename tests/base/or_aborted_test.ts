import assert from "node:assert/strict";
import { orAborted } from "../../lib/base/or_aborted.ts";

const never = new Promise<void>(() => {});

Deno.test("a wait ends with what is waited for, or when it is aborted", async () => {
  const { signal } = new AbortController();
  await orAborted(Promise.resolve(), signal);
  await assert.rejects(orAborted(Promise.reject(new Error("no")), signal), /no/);
  await orAborted(never, AbortSignal.abort());
  const stop = new AbortController();
  const waiting = orAborted(never, stop.signal);
  stop.abort();
  await waiting;
});
