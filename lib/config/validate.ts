import type { Problem } from "./problem.ts";
import type { Rule } from "./rules.ts";
import { SCHEMA, sectionRules, type Values } from "./schema.ts";
import { unknownKey, unknownSection } from "./unknown.ts";

type Table = Readonly<Record<string, unknown>>;

/** Compares a parsed document with the schema. The values are those without a problem. */
export function validate(document: Table): { values: Values; problems: Problem[] } {
  const problems: Problem[] = [];
  const values: Record<string, Record<string, unknown>> = {};
  for (const section of Object.keys(SCHEMA)) values[section] = {};
  for (const [section, content] of Object.entries(document)) {
    const rules = sectionRules(section);
    if (rules === undefined) problems.push(unknownSection(section));
    else if (!isTable(content)) problems.push(notASection(section, rules));
    else checkSection(section, rules, content, values[section], problems);
  }
  return { values: values as unknown as Values, problems };
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

function notASection(section: string, rules: object): Problem {
  return {
    path: [section],
    at: "value",
    describe: (written = "a list of tables") =>
      `${section} is ${written}, but must be a section, [${section}], with the keys ` +
      Object.keys(rules).join(", "),
  };
}

function checkSection(
  section: string,
  rules: Readonly<Record<string, Rule<unknown>>>,
  content: Table,
  values: Record<string, unknown>,
  problems: Problem[],
): void {
  for (const [key, value] of Object.entries(content)) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (rule === undefined) problems.push(unknownKey(section, key));
    else if (rule.accepts(value)) values[key] = value;
    else {
      const name = `${section}.${key}`;
      // Not spread: a list can have more elements than a call may have arguments.
      for (const problem of badValues([section, key], name, rule, value)) problems.push(problem);
    }
  }
}

function badValues(
  path: readonly string[],
  name: string,
  rule: Rule<unknown>,
  value: unknown,
): Problem[] {
  const { each } = rule;
  if (each !== undefined && Array.isArray(value)) {
    const bad = [...value.entries()].filter(([, element]) => !each.accepts(element));
    // A list without a bad element is wrong as a whole: it is too long.
    if (bad.length > 0) {
      return bad.map(([index, element]) =>
        badValue([...path, index], `${name}, element ${index + 1},`, each, element)
      );
    }
  }
  return [badValue(path, name, rule, value)];
}

function badValue(
  path: Problem["path"],
  name: string,
  rule: Rule<unknown>,
  value: unknown,
): Problem {
  const reason = rule.problem?.(value);
  return {
    path,
    at: "value",
    describe: (written = "a table") =>
      `${name} is ${written}${reason ? ` (${reason})` : ""}, but must be ${rule.allowed}`,
  };
}
