import assert from "node:assert/strict";
import fc from "fast-check";
import { InvalidInputError } from "../../lib/errors.ts";
import { profileDirectory } from "../../lib/identity/profile_directory.ts";
import { unicode } from "../wire/arbitraries.ts";

const HOME = { HOME: "/home/al" };

function directoryOf(
  { profile = "al", env = HOME, os = "linux", dataDir }: {
    profile?: string;
    env?: Record<string, string>;
    os?: string;
    dataDir?: string;
  },
): string {
  return profileDirectory({ profile, dataDir, os, env: (name) => env[name] });
}

const nameOf = (profile: string) =>
  directoryOf({ profile }).slice("/home/al/.local/share/parlance/".length);

Deno.test("a profile lies where XDG says, on Windows in the local application data", () => {
  assert.equal(directoryOf({}), "/home/al/.local/share/parlance/al");
  assert.equal(directoryOf({ os: "darwin" }), "/home/al/.local/share/parlance/al");
  const xdg = (value: string) => directoryOf({ env: { ...HOME, XDG_DATA_HOME: value } });
  assert.equal(xdg("/data/"), "/data/parlance/al");
  // The specification has relative and empty values ignored.
  for (const value of ["", "data", "./data"]) assert.equal(xdg(value), directoryOf({}));
  const windows = { os: "windows", env: { LOCALAPPDATA: "C:\\Users\\al\\AppData\\Local" } };
  assert.equal(directoryOf(windows), "C:\\Users\\al\\AppData\\Local\\parlance\\al");
});

Deno.test("--data-dir replaces the whole directory", () => {
  assert.equal(directoryOf({ dataDir: "here", env: {} }), "here");
  assert.throws(() => directoryOf({ dataDir: "" }), InvalidInputError);
});

Deno.test("an environment without a home is refused with what to do", () => {
  const message = /HOME is not set; set it, or use --data-dir DIR/;
  assert.throws(() => directoryOf({ env: {} }), { name: "InvalidInputError", message });
  assert.throws(() => directoryOf({ env: {}, os: "windows" }), /LOCALAPPDATA is not set/);
});

Deno.test("a profile's name becomes a file name that leads nowhere else", () => {
  const names = {
    "Al_3-x": "Al_3-x",
    "a.b": "a.b",
    ".": "%2E",
    "..": "%2E%2E",
    "../x": "%2E.%2Fx",
    "a/b\\c": "a%2Fb%5Cc",
    "a ": "a%20",
    "a.": "a%2E",
    "50%": "50%25",
    "%2E": "%252E",
    "zoë": "zo%C3%AB",
    "con": "%63on",
    "COM1.txt": "%43OM1.txt",
    "console": "console",
    "a:b*?": "a%3Ab%2A%3F",
  };
  for (const [profile, name] of Object.entries(names)) assert.equal(nameOf(profile), name);
});

Deno.test("different profiles have different file names, which every system takes", () => {
  fc.assert(fc.property(unicode(16), unicode(16), (a, b) => {
    fc.pre(a !== "" && b !== "");
    const [one, other] = [nameOf(a), nameOf(b)];
    assert.match(one, /^[\w%-](?:[\w%.-]*[\w%-])?$/);
    assert.ok(one.length <= 255);
    assert.equal(one === other, a === b);
    assert.equal(decodeURIComponent(one), a);
  }));
});

Deno.test("profiles that differ by case only have their own directories where case is ignored", () => {
  const windows = { os: "windows", env: { LOCALAPPDATA: "C:" } };
  for (const system of [{ os: "darwin" }, windows]) {
    const nameOf = (profile: string) =>
      directoryOf({ ...system, profile }).replace(/^.*[/\\]parlance[/\\]/, "");
    assert.equal(nameOf("alice-2.x_y"), "alice-2.x_y");
    assert.equal(nameOf("Alice"), "%41lice");
    assert.equal(nameOf("CON"), "%43%4F%4E");
    assert.equal(nameOf("con"), "%63on");
    fc.assert(fc.property(unicode(16), unicode(16), fc.boolean(), (a, other, isSame) => {
      const b = isSame ? a.toUpperCase() : other;
      fc.pre(a !== "" && b !== "" && new TextEncoder().encode(b).length <= 64);
      assert.equal(nameOf(a).toLowerCase() === nameOf(b).toLowerCase(), a === b);
    }));
  }
  assert.equal(nameOf("Alice"), "Alice");
});

Deno.test("a name that is empty, too long or not Unicode is refused", () => {
  for (const profile of ["", "a".repeat(65), "ë".repeat(33), "\ud800"]) {
    assert.throws(() => nameOf(profile), { name: "InvalidInputError", message: /--profile$/ });
  }
  assert.equal(nameOf("a".repeat(64)).length, 64);
});
