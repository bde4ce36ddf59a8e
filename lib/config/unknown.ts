import type { Problem } from "./problem.ts";
import { qualifiedKeys, SCHEMA, sectionRules } from "./schema.ts";
import { shown } from "./shown.ts";

/** A top-level key or section that the schema does not have. */
export function unknownSection(section: string): Problem {
  const known = Object.keys(SCHEMA);
  const otherwise = `the sections are ${known.join(", ")}`;
  return unknown([section], nameOf(section), known, otherwise);
}

/** A key that its section does not have. */
export function unknownKey(section: string, key: string): Problem {
  const known = Object.keys(sectionRules(section) ?? {});
  const otherwise = `the keys of [${section}] are ${known.join(", ")}`;
  return unknown([section, key], `${section}.${nameOf(key)}`, known, otherwise);
}

function unknown(
  path: readonly string[],
  name: string,
  known: readonly string[],
  otherwise: string,
): Problem {
  return {
    path,
    at: "key",
    async describe(written) {
      const guesses = await suggestions(path.at(-1)!, known);
      const hint = guesses.length > 0 ? `did you mean ${guesses.join(" or ")}?` : otherwise;
      const what = written === undefined ? `section [${name}]` : `key ${name} = ${written}`;
      return `unknown ${what}; ${hint}`;
    },
  };
}

/** A key that stands in the wrong section, else what is spelled nearly so. */
async function suggestions(word: string, known: readonly string[]): Promise<string[]> {
  const homes = qualifiedKeys().filter((key) => key.endsWith(`.${word}`));
  if (homes.length > 0) return homes;
  // What measures words is loaded only once there is a mistyped one.
  const { nearest } = await import("../base/nearest.ts");
  const near = nearest(word, known);
  return near.length > 0 ? near : nearest(word, qualifiedKeys().map((key) => key.split(".")[1]));
}

/** A key as TOML writes it, bounded and harmless. */
function nameOf(key: string): string {
  return /^[\w-]{1,40}$/.test(key) ? key : shown(JSON.stringify(key), 42);
}
