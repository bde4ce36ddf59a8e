import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import process from "node:process";
import type { Clock } from "../base/clock.ts";
import { nextTurn } from "../base/next_turn.ts";
import { printable } from "../base/printable.ts";
import { messageOf } from "../errors.ts";
import type { Mode, Node, NodeEvent } from "../node.ts";
import { CommandQueue } from "./command_queue.ts";
import { type Command, HELP, parseCommand } from "./commands.ts";
import { complete } from "./completion.ts";
import { Deliveries } from "./deliveries.ts";
import { aborted, remainingText, settleMessages } from "./ending.ts";
import { EventPump } from "./event_pump.ts";
import {
  confirmationText,
  isHistoryCommand,
  lastConversationText,
  runHistoryCommand,
} from "./history_text.ts";
import { isIdentityCommand, runIdentityCommand } from "./identity_text.ts";
import { Keyboard } from "./keyboard.ts";
import { BoundedNotices, isPresence, LOG_BOUNDS, PRESENCE_BOUNDS } from "./notices.ts";
import { PendingSends } from "./pending_sends.ts";
import type { Style } from "./style.ts";
import { bannerText, eventText, peersText } from "./text.ts";
import { DEFAULT_COLUMNS, wrap } from "./wrap.ts";

const PROMPT = "> ";
/** Lines that the arrow keys bring back. */
const HISTORY = 500;
/** When an end that takes its time is explained, in milliseconds. */
const HINT_MS = 500;
const HINT = "* waiting for messages that are being sent; Ctrl-C ends at once";

/** What the terminal interface works with. */
export interface TerminalInterfaceOptions {
  readonly clock: Clock;
  readonly node: Node;
  readonly mode: Mode;
  /** The program's version. */
  readonly version: string;
  readonly style: Style;
  /** Nicknames of those whom the user has to do with, here or not, for completion. */
  readonly contacts: () => readonly string[];
  /** Asks to end, as the user does here, too; what is on its way still gets five seconds. */
  readonly stop: AbortController;
  /** Called for Ctrl-C, which is no signal while the line editor reads the keys. */
  readonly interrupt: () => void;
}

/** The interface for people: a prompt that stays whole while messages arrive above it. */
export class TerminalInterface {
  readonly #options: TerminalInterfaceOptions;
  readonly #sends = new PendingSends();
  readonly #pump: EventPump;
  readonly #deliveries: Deliveries;
  readonly #commands = new CommandQueue();
  readonly #presence: BoundedNotices;
  readonly #log: BoundedNotices;
  readonly #keyboard = new Keyboard();
  readonly #readline: Interface;
  #lines: string[] = [];
  /** Whether the line editor has ended; what comes then is shown without a prompt. */
  #closed = false;

  constructor(options: TerminalInterfaceOptions) {
    this.#options = options;
    const print = (text: string) => this.print(text);
    this.#pump = new EventPump((event) => this.#show(event), terminalRoom, () => this.#written());
    this.#deliveries = new Deliveries({ ...options, print });
    this.#presence = new BoundedNotices(options.clock, PRESENCE_BOUNDS, print);
    this.#log = new BoundedNotices(options.clock, LOG_BOUNDS, print);
    this.#readline = createInterface({
      input: this.#keyboard.input,
      output: process.stdout,
      terminal: true,
      prompt: PROMPT,
      historySize: HISTORY,
      completer: (line: string) => this.#complete(line),
    });
  }

  /** Runs until the user leaves and what was on its way has arrived, or has had five seconds. */
  async run(): Promise<void> {
    const { clock, node, mode, version, style, stop, interrupt } = this.#options;
    this.#readline.on("SIGINT", interrupt);
    this.#readline.on("close", () => {
      this.#closed = true;
      stop.abort();
    });
    this.#readline.on("line", (line: string) => {
      if (stop.signal.aborted) return; // pasted behind the end
      const command = parseCommand(line);
      if (command.kind === "quit") return stop.abort();
      this.#submit(command);
      this.#readline.prompt();
    });
    // A terminal that was closed: without this, writing to it would end the program before it has
    // said goodbye.
    process.stdout.on("error", () => stop.abort());
    process.stdout.write(`${this.#wrap(bannerText(node, mode, version, style))}\n`);
    this.#showLastConversation();
    using keyboard = this.#keyboard;
    keyboard.attach(this.#readline);
    this.#readline.prompt();
    void this.#pump.run(node.events);
    await aborted(stop.signal);
    const cancelHint = clock.after(HINT_MS, () => this.print(style.dim(HINT)));
    const underWay = { clock, node, sends: this.#sends, pump: this.#pump };
    const { waiting, problem } = await settleMessages(underWay, stop.signal);
    cancelHint();
    this.#presence.close();
    this.#log.close();
    this.#deliveries.close();
    if (problem !== undefined) this.#warn(problem);
    if (waiting > 0) this.print(style.dim(remainingText(waiting)));
    this.#flush();
    this.#readline.close();
    process.stdout.write("\n");
  }

  /** Shows a line of the log, unless there are too many. */
  log(line: string): void {
    this.#log.add(line);
  }

  /** Puts a line above the prompt; what is typed there stays. */
  print(text: string): void {
    this.#lines.push(this.#wrap(text));
    // What arrives in the same turn is drawn at once.
    if (this.#lines.length === 1) setImmediate(() => this.#flush());
  }

  /** Resolves when what was printed until now is on the screen: to whether it is. */
  async #written(): Promise<boolean> {
    await nextTurn();
    return await new Promise((resolve) => {
      process.stdout.write("", (error) => resolve(error === undefined || error === null));
    });
  }

  #complete(line: string): [string[], string] {
    try {
      return complete(line, this.#options);
    } catch {
      return [[], line]; // a disk that fails is told of elsewhere
    }
  }

  #wrap(text: string): string {
    return wrap(text, (process.stdout.columns || DEFAULT_COLUMNS) - 1);
  }

  #flush(): void {
    if (this.#lines.length === 0) return;
    const text = this.#lines.join("\n");
    this.#lines = [];
    if (this.#closed) return void process.stdout.write(`\r\x1b[J${text}\n`);
    const { rows } = this.#readline.getCursorPos();
    const up = rows > 0 ? `\x1b[${rows}A` : "";
    // To the prompt's first column, clear to the end of the screen (ECMA-48, CUU and ED).
    process.stdout.write(`\r${up}\x1b[J${text}\n`);
    // The cursor is where a fresh prompt begins: without this, drawing it would move up again.
    (this.#readline as Interface & { prevRows: number }).prevRows = 0;
    this.#readline.prompt(true);
  }

  #showLastConversation(): void {
    const { node, style } = this.#options;
    try {
      const text = lastConversationText(node, style);
      if (text !== undefined) this.print(text);
    } catch (error) {
      this.#warn(messageOf(error));
    }
  }

  #show(event: NodeEvent): void {
    if (event.type === "delivery") return this.#deliveries.take(event);
    const { clock, style } = this.#options;
    const text = eventText(event, style, clock.now());
    if (isPresence(event)) this.#presence.add(text);
    else this.print(text);
  }

  #submit(command: Command): void {
    const running = this.#commands.add(() => this.#run(command));
    if (running !== undefined) return this.#sends.add(0, running);
    this.#warn("Cannot run a command: too many are waiting; wait until those have been answered");
  }

  #warn(text: string): void {
    this.print(this.#options.style.warning(printable(text)));
  }

  async #run(command: Command): Promise<void> {
    const { node, style, stop } = this.#options;
    try {
      if (isIdentityCommand(command)) {
        return this.print(await runIdentityCommand(node, command, style));
      }
      if (isHistoryCommand(command)) {
        const text = confirmationText(command) ??
          await runHistoryCommand(node, command, style, stop.signal);
        return text === undefined ? undefined : this.print(text);
      }
      switch (command.kind) {
        case "send":
          return await this.#send(command.to, command.content);
        case "peers":
          return this.print(peersText(node, style));
        case "help":
          return this.print(HELP);
        case "mistake":
          return this.#warn(command.message);
      }
    } catch (error) {
      this.#warn(messageOf(error));
    }
  }

  async #send(to: string, content: string): Promise<void> {
    const room = this.#sends.room();
    if (room !== undefined) await room;
    const sent = this.#deliveries.send((tag) => this.#options.node.post(to, content, tag));
    this.#sends.add(content.length, sent.catch((error) => this.#warn(messageOf(error))));
  }
}

/** A terminal that is slower than the peers makes them wait. */
function terminalRoom(): Promise<void> | undefined {
  if (!process.stdout.writableNeedDrain) return undefined;
  return once(process.stdout, "drain").then(() => {});
}
