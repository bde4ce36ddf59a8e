import assert from "node:assert/strict";
import { Child } from "./child.ts";

function shell(script: string, json = true): Child {
  const env = { PATH: "/usr/bin:/bin" };
  return new Child({ command: "sh", args: ["-c", script], env, json, label: "a shell" });
}

const ignore = Deno.build.os === "windows";

Deno.test({
  name: "a wait ends with the event, whether it came before or comes after",
  ignore,
  async fn() {
    await using child = shell(`echo '{"event":"one"}'; read x; echo "{\\"event\\":\\"$x\\"}"`);
    await child.waitFor({ event: "one" });
    const mark = child.mark();
    await child.write("two\n");
    await child.waitFor({ event: "two" }, mark);
    await child.waitFor({ event: "one" });
    assert.equal(child.all({ event: "one" }, mark).length, 0);
    assert.equal((await child.exited()).code, 0);
  },
});

Deno.test({
  name: "a wait for a program that ended fails with what it said",
  ignore,
  async fn() {
    await using child = shell(`echo '{"event":"last words"}'; echo complaint >&2; exit 3`);
    await assert.rejects(child.waitFor({ event: "never" }), (error: Error) => {
      return /never/.test(error.message) && /last words/.test(error.message) &&
        /complaint/.test(error.message) && /"code":3/.test(error.message);
    });
  },
});

Deno.test({
  name: "a line that is not JSON fails the wait",
  ignore,
  async fn() {
    await using child = shell("echo stray; read x");
    await assert.rejects(child.waitFor({ event: "any" }), /not a JSON object: stray/);
  },
});

Deno.test({
  name: "a program that goes on is ended with its test",
  ignore,
  async fn() {
    let pid = 0;
    {
      await using child = shell("exec sleep 60", false);
      pid = child.pid;
    }
    assert.throws(() => Deno.kill(pid, "SIGTERM"), Deno.errors.NotFound);
  },
});
