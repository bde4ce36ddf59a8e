/**
 * What the command lines of the client have in common: options whose values are checked against
 * rules, and errors in our words.
 *
 * @module
 */
import { type Command, CommanderError, Option } from "@commander-js/extra-typings";
import { nearest } from "../base/nearest.ts";
import { InvalidInputError } from "../errors.ts";
import type { Rule } from "./rules.ts";
import { shown } from "./shown.ts";

/** The options that a command line may have, as far as error messages need to know. */
export class Syntax {
  /** Every way to write an option, such as `-n` and `--nickname`. */
  readonly #flags = new Set(["-h", "--help"]);
  /** What the value of an option must be, by the option as it is defined. */
  readonly #allowed = new Map<string, string>();

  /** Defines an option with a value; every word that the user may write comes to be known. */
  option<const F extends string, T>(flags: F, description: string, rule: Rule<T>) {
    this.#allowed.set(flags, rule.allowed);
    const option = new Option(flags, description);
    return option.argParser((text: string) => this.checked(option.long!, text, rule));
  }

  /** Checks the value of an option against a rule. */
  checked<T>(option: string, text: string, rule: Rule<T>): T {
    // Any text can be a nickname or a file's name, but another option is hardly meant as one.
    if (this.#flags.has(text)) {
      throw new InvalidInputError(
        `Option ${option} needs a value, ${rule.allowed}, but option ${text} follows`,
      );
    }
    const value = rule.fromText === undefined ? text : rule.fromText(text);
    if (rule.accepts(value)) return value;
    const reason = rule.problem?.(value);
    throw new InvalidInputError(
      `Option ${option} is ${shown(JSON.stringify(text))}${reason ? ` (${reason})` : ""}, ` +
        `but must be ${rule.allowed}`,
    );
  }

  /**
   * Lets a program that has all its options read a command line.
   *
   * @param surplus Says what is wrong with the first argument that is too many.
   * @returns The help, where that is asked for.
   * @throws {InvalidInputError} One line that says what is wrong.
   */
  parse(
    // deno-lint-ignore no-explicit-any -- what a program's options are makes no difference here
    program: Command<any, any, any>,
    args: readonly string[],
    surplus: (argument: string) => string,
  ): string | undefined {
    program.helpOption("-h, --help", "print this help and exit")
      .allowExcessArguments(false)
      .exitOverride()
      // Nothing is printed from here: the caller gets the text or the error.
      .configureOutput({ writeOut() {}, writeErr() {}, getOutHelpWidth: () => 80 });
    for (const { short, long } of program.options) {
      if (short !== undefined) this.#flags.add(short);
      if (long !== undefined) this.#flags.add(long);
    }
    try {
      program.parse(args, { from: "user" });
      return undefined;
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      if (error.code === "commander.helpDisplayed") return program.helpInformation();
      const most = program.registeredArguments.length;
      const problem = error.code === "commander.excessArguments"
        ? surplus(program.args[most] ?? "")
        : this.#problem(error);
      throw new InvalidInputError(problem, { cause: error });
    }
  }

  /** Says in one line of ours what the parser found wrong with the command line's form. */
  #problem(error: CommanderError): string {
    const message = error.message.replace(/^error: /, "");
    const quoted = /'(.*)'/s.exec(message)?.[1] ?? "";
    switch (error.code) {
      case "commander.unknownOption":
        return this.#unknownOption(quoted);
      case "commander.optionMissingArgument":
        return `Option ${quoted} needs a value: ${this.#allowed.get(quoted)}`;
      default:
        return `Cannot read the command line: ${shown(message, 200)}`;
    }
  }

  #unknownOption(written: string): string {
    const [flag, value] = written.split(/=(.*)/s);
    if (this.#flags.has(flag)) {
      return `Option ${flag} takes no value, but got ${shown(JSON.stringify(value))}`;
    }
    const guesses = nearest(flag, [...this.#flags].filter((other) => other.startsWith("--")));
    const hint = guesses.length === 0
      ? "--help lists the options"
      : `did you mean ${guesses.join(" or ")}?`;
    return `Unknown option ${shown(flag)}; ${hint}`;
  }
}

/** The name of a file or directory. */
export const pathRule = (what: "file" | "directory"): Rule<string> => ({
  allowed: `the name of a ${what}`,
  accepts: (value): value is string =>
    typeof value === "string" && value !== "" && !value.includes("\0"),
});
