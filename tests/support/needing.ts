/**
 * A test of something that not every machine has.
 *
 * Where it is missing, the test is switched off under a name that says what is missing: a developer
 * on another system, or without root, can still run all others. In CI (`CI=true`), which installs
 * or brings whatever tests need, it fails instead, so that no test is off there unnoticed.
 *
 * @param missing What is missing here, and why; `undefined` where nothing is.
 */
export function testNeeding(
  missing: string | undefined,
  name: string,
  fn: () => Promise<void>,
): void {
  if (missing === undefined) return Deno.test(name, fn);
  if (Deno.env.get("CI") === "true") {
    return Deno.test(name, () => {
      throw new Error(`This test cannot run, and must in CI: ${missing}`);
    });
  }
  Deno.test({ name: `SKIPPED (${missing.trim()}): ${name}`, ignore: true, fn });
}
