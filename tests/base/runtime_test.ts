import assert from "node:assert/strict";
import { runtimeProblem } from "../../lib/base/runtime.ts";

Deno.test("a Deno that is new enough is accepted", () => {
  for (const deno of ["2.8.0", "2.8.3", "2.9.6", "2.10.0", "2.8.0-rc.1+abc", "3.0.0", "10.1.0"]) {
    assert.equal(runtimeProblem({ version: { deno } }), undefined, deno);
  }
  assert.equal(runtimeProblem(Deno), undefined);
});

Deno.test("a Deno that is too old is refused with what to do", () => {
  for (const deno of ["2.7.99", "2.0.0", "1.46.3", "0.9.0"]) {
    assert.match(
      runtimeProblem({ version: { deno } })!,
      /^Parlance needs Deno 2\.8 or later, and this is [\d.]+; run `deno upgrade`/,
    );
  }
});

Deno.test("a compiled program carries its own runtime, and another runtime is not Deno", () => {
  const old = { version: { deno: "2.0.0" } };
  assert.equal(runtimeProblem({ ...old, build: { standalone: true } }), undefined);
  assert.notEqual(runtimeProblem({ ...old, build: { standalone: false } }), undefined);
  for (const runtime of [undefined, {}, { version: {} }]) {
    assert.match(runtimeProblem(runtime)!, /^Parlance runs on Deno, which this is not/);
  }
});
