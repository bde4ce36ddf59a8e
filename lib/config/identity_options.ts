import { Command } from "@commander-js/extra-typings";
import { nearest } from "../base/nearest.ts";
import { InvalidInputError } from "../errors.ts";
import { pathRule, Syntax } from "./command_line.ts";
import * as rules from "./rules.ts";
import { shown } from "./shown.ts";

/** What the command line says about the profile; what it leaves out is `undefined`. */
export interface ProfileOptions {
  readonly nickname?: string;
  readonly profile?: string;
  /** Directory of the profile, in place of the one that follows from its name. */
  readonly dataDir?: string;
}

/** What the options of `parlance identity` say. */
export interface IdentityOptions extends ProfileOptions {
  /** Path of the configuration file. */
  readonly config?: string;
  /** Whether the passphrase is a line of standard input where that is no terminal. */
  readonly passphraseStdin: boolean;
}

/** What `parlance identity` is to do. */
export type IdentityCommand =
  & { readonly kind: "identity"; readonly options: IdentityOptions }
  & (
    | { readonly action: "show" }
    | {
      readonly action: "export" | "import";
      /** The backup. */
      readonly file: string;
    }
  );

const ACTIONS = ["show", "export", "import"] as const;
const FORMS = "show, export FILE or import FILE";

/**
 * Reads the command line of `parlance identity`.
 *
 * @param args The arguments that follow `identity`.
 * @throws {InvalidInputError} One line that says what is wrong.
 */
export function parseIdentityOptions(
  args: readonly string[],
): IdentityCommand | { readonly kind: "help"; readonly text: string } {
  const { program, syntax } = define();
  const text = syntax.parse(program, args, (argument) => {
    const action = actionOf(program.args[0]);
    return `Unexpected argument ${quoted(argument)}; identity ${action} takes ` +
      (action === "show" ? "none" : "one file");
  });
  if (text !== undefined) return { kind: "help", text };
  const [word, file] = program.args;
  const action = actionOf(word);
  const { passphraseStdin = false, ...rest } = program.opts();
  const options: IdentityOptions = { ...rest, passphraseStdin };
  if (action === "show") {
    if (file !== undefined) {
      throw new InvalidInputError(
        `Unexpected argument ${quoted(file)}; identity show takes none`,
      );
    }
    if (passphraseStdin) {
      throw new InvalidInputError(
        "Option --passphrase-stdin has no meaning for identity show: it asks for no passphrase",
      );
    }
    return { kind: "identity", action, options };
  }
  const rule = pathRule("file");
  if (file === undefined) {
    throw new InvalidInputError(`Command identity ${action} needs ${rule.allowed} for the backup`);
  }
  if (!rule.accepts(file)) {
    throw new InvalidInputError(
      `The backup for identity ${action} is ${quoted(file)}, but must be ${rule.allowed}`,
    );
  }
  return { kind: "identity", action, file, options };
}

function actionOf(word: string | undefined): typeof ACTIONS[number] {
  if (word === undefined) {
    throw new InvalidInputError(`Command identity needs to know what to do: ${FORMS}`);
  }
  const action = ACTIONS.find((action) => action === word);
  if (action !== undefined) return action;
  const [guess] = nearest(word, ACTIONS);
  throw new InvalidInputError(
    `Unknown command identity ${shown(word)}; ` +
      (guess === undefined ? `there are ${FORMS}` : `did you mean ${guess}?`),
  );
}

function quoted(argument: string): string {
  return shown(JSON.stringify(argument));
}

function define() {
  const syntax = new Syntax();
  const program = new Command("parlance identity")
    .usage("[options] show|export FILE|import FILE")
    .description(
      "Who this peer is to others. show: prints the id. export: writes key and certificate to a " +
        "new file, encrypted with a passphrase. import: makes them this profile's identity.",
    )
    .argument("[action]")
    .argument("[file]")
    .addOption(
      syntax.option("--profile <name>", "whose identity; without it, the nickname", rules.profile),
    )
    .addOption(
      syntax.option("-n, --nickname <name>", "the nickname that is the profile", rules.nickname),
    )
    .addOption(
      syntax.option("--data-dir <dir>", "the directory of the profile", pathRule("directory")),
    )
    .addOption(
      syntax.option(
        "-c, --config <file>",
        "configuration to read instead of ./parlance.toml",
        pathRule("file"),
      ),
    )
    .option("--passphrase-stdin", "take the passphrase from a line of standard input");
  return { program, syntax };
}
