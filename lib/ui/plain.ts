import type { Clock } from "../base/clock.ts";
import { printable } from "../base/printable.ts";
import { messageOf, UnknownPeerError } from "../errors.ts";
import type { Mode, Node, NodeEvent } from "../node.ts";
import { type Command, HELP, parseCommand } from "./commands.ts";
import { type LeftBehind, remainingText, untilEnded } from "./ending.ts";
import { EventPump } from "./event_pump.ts";
import { confirmationText, isHistoryCommand, runHistoryCommand } from "./history_text.ts";
import { isIdentityCommand, runIdentityCommand } from "./identity_text.ts";
import { inputLines, type Read } from "./input.ts";
import { BoundedNotices, isPresence, LOG_BOUNDS, PRESENCE_BOUNDS } from "./notices.ts";
import type { Output } from "./output.ts";
import { PendingSends } from "./pending_sends.ts";
import { PlainDeliveries } from "./plain_deliveries.ts";
import { plainStyle } from "./style.ts";
import { bannerText, eventText, peersText } from "./text.ts";
import { DEFAULT_COLUMNS, wrap } from "./wrap.ts";

/** A version 2 peer has answered by then, in milliseconds after the start. */
const ANSWERS_MS = 500;
/** Beyond one announce interval, time for a datagram to arrive, in milliseconds. */
const ANNOUNCE_SLACK_MS = 1000;

/** What the plain interface works with. */
export interface PlainInterfaceOptions {
  readonly clock: Clock;
  readonly node: Node;
  readonly mode: Mode;
  /** The program's version. */
  readonly version: string;
  /** How often version 1 peers announce themselves, in milliseconds. */
  readonly announceIntervalMs: number;
  readonly read: Read;
  readonly output: Output;
  /** Where the output is a terminal: its width. What is shown is bounded then, as it is there. */
  readonly columns?: number;
  /** Asks to end; what is on its way still gets five seconds. */
  readonly signal: AbortSignal;
}

/**
 * The interface for pipes: commands in, plain text out. A script writes its commands without
 * knowing who has been found yet, so at the start they wait for discovery.
 */
export class PlainInterface {
  readonly #options: PlainInterfaceOptions;
  readonly #sends = new PendingSends();
  readonly #pump: EventPump;
  readonly #deliveries: PlainDeliveries;
  readonly #startedAt: number;
  /** Bounds comings and goings on a screen; a program gets them all. */
  readonly #presence: BoundedNotices | undefined;
  readonly #log: BoundedNotices;
  #failed = false;
  #onPeer: (() => void) | undefined;

  constructor(options: PlainInterfaceOptions) {
    this.#options = options;
    const { output } = options;
    this.#pump = new EventPump(
      (event) => this.#show(event),
      () => output.ready(),
      () => output.written(),
    );
    this.#deliveries = new PlainDeliveries({
      node: options.node,
      print: (text) => this.#print(text),
      onFailed: () => this.#failed = true,
    });
    this.#startedAt = options.clock.monotonic();
    const print = (text: string) => this.#print(text);
    this.#log = new BoundedNotices(options.clock, LOG_BOUNDS, print);
    if (options.columns === undefined) return;
    this.#presence = new BoundedNotices(options.clock, PRESENCE_BOUNDS, print);
  }

  /**
   * Runs until the input has ended or `/quit` was read, and everything has arrived that can while
   * those stay away who are, for which `/quit` and a signal leave five seconds; or until nobody
   * reads the output any more.
   *
   * @returns Whether every command succeeded; a message that waits for somebody has.
   */
  async run(): Promise<boolean> {
    const { node, mode, version } = this.#options;
    this.#print(bannerText(node, mode, version, plainStyle));
    void this.#pump.run(node.events);
    await untilEnded({
      ...this.#options,
      sends: this.#sends,
      pump: this.#pump,
      reading: this.#readCommands(),
      report: (left) => this.#report(left),
    });
    this.#presence?.close();
    this.#log.close();
    return !this.#failed;
  }

  /** Shows a line of the log on the screen, unless there are too many. */
  log(line: string): void {
    this.#log.add(line);
  }

  #print(text: string): void {
    const { columns, output } = this.#options;
    output.push(`${columns === undefined ? text : wrap(text, (columns || DEFAULT_COLUMNS) - 1)}\n`);
  }

  #fail(message: string): void {
    this.#failed = true;
    this.#print(printable(message));
  }

  #report({ waiting, problem }: LeftBehind): void {
    this.#deliveries.end();
    if (problem !== undefined) this.#fail(problem);
    if (waiting > 0) this.#print(remainingText(waiting));
  }

  #show(event: NodeEvent): void {
    if (event.type === "delivery") return this.#deliveries.take(event);
    const text = eventText(event, plainStyle, this.#options.clock.now());
    if (this.#presence !== undefined && isPresence(event)) this.#presence.add(text);
    else this.#print(text);
    if (event.type === "peer_up") this.#onPeer?.();
  }

  /** @returns Whether the user asked to end. */
  async #readCommands(): Promise<boolean> {
    const { read, output, signal } = this.#options;
    for await (const lines of inputLines(read)) {
      for (const input of lines) {
        if (signal.aborted) return true;
        if ("refused" in input) {
          this.#fail(`Cannot read a command: ${input.refused}`);
          continue;
        }
        const command = parseCommand(input.line);
        if (command.kind === "quit") return true;
        await this.#run(command);
        await output.ready();
      }
    }
    return false;
  }

  async #run(command: Command): Promise<void> {
    if (isIdentityCommand(command)) {
      if (command.kind === "verify" || command.kind === "trust") {
        await this.#awaitPeer(command.peer);
      }
      try {
        return this.#print(await runIdentityCommand(this.#options.node, command, plainStyle));
      } catch (error) {
        return this.#fail(messageOf(error));
      }
    }
    if (isHistoryCommand(command)) {
      const question = confirmationText(command);
      if (question !== undefined) return this.#fail(question);
      const { node, signal } = this.#options;
      // What was sent before is to be seen in the answer.
      await this.#sends.settled();
      try {
        const answer = await runHistoryCommand(node, command, plainStyle, signal);
        if (answer !== undefined) this.#print(answer);
      } catch (error) {
        this.#fail(messageOf(error));
      }
      return;
    }
    switch (command.kind) {
      case "send":
        await this.#awaitPeer(command.to);
        return await this.#send(command.to, command.content);
      case "peers":
        while (await this.#awaitPeers(ANSWERS_MS));
        return this.#print(peersText(this.#options.node, plainStyle));
      case "help":
        return this.#print(HELP);
      case "mistake":
        return this.#fail(command.message);
    }
  }

  async #send(to: string, content: string): Promise<void> {
    // Otherwise what comes in meanwhile would wait until all of the input is on the disk.
    const room = this.#sends.room() ?? this.#options.node.messages.pace();
    if (room !== undefined) await room;
    const sent = this.#deliveries.send((tag) => this.#options.node.post(to, content, tag));
    this.#sends.add(content.length, sent.catch((error) => this.#fail(messageOf(error))));
  }

  /** Waits until the peer is known, as long as discovery has not had its time. */
  async #awaitPeer(target: string): Promise<void> {
    const windowMs = this.#options.announceIntervalMs + ANNOUNCE_SLACK_MS;
    while (!this.#isKnown(target) && await this.#awaitPeers(windowMs));
  }

  #isKnown(target: string): boolean {
    try {
      this.#options.node.find(target);
      return true;
    } catch (error) {
      // Ambiguous is known, too: sending says so.
      return !(error instanceof UnknownPeerError);
    }
  }

  /**
   * Waits for the next peer, at most until `windowMs` after the start.
   *
   * @returns Whether a peer has come within that time.
   */
  async #awaitPeers(windowMs: number): Promise<boolean> {
    const { clock, signal } = this.#options;
    const leftMs = this.#startedAt + windowMs - clock.monotonic();
    if (leftMs <= 0) return false;
    const came = new AbortController();
    this.#onPeer = () => came.abort(came);
    try {
      await clock.sleep(leftMs, AbortSignal.any([came.signal, signal]));
      return false;
    } catch {
      return came.signal.aborted;
    } finally {
      this.#onPeer = undefined;
    }
  }
}
