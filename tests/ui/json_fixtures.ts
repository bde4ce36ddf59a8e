import assert from "node:assert/strict";
import { runJsonInterface } from "../../lib/ui/json.ts";
import { isMessageId } from "../../lib/wire/message_id.ts";
import { Listening, World } from "../node/fixtures.ts";
import { watched } from "../peer/fixtures.ts";
import { settle } from "../support/fake_clock.ts";
import { Keyboard, Paper, startKeeping } from "./driven.ts";

/** An object that came or goes. */
export type Line = Record<string, unknown>;

/** A program that drives alice by JSON, and bob, who listens. */
export async function start({ world = new World(), withBob = true } = {}) {
  const alice = await startKeeping(world, "alice");
  const bob = withBob ? new Listening(await world.start("bob")) : undefined;
  await world.clock.advance(250);
  const keyboard = new Keyboard();
  const paper = new Paper();
  const stop = new AbortController();
  const { read } = keyboard;
  const { output } = paper;
  const options = {
    clock: world.clock,
    node: alice,
    version: "1.2.3",
    read,
    output,
    signal: stop.signal,
  };
  const running = runJsonInterface(options);
  const run = watched(running);
  await settle();
  return {
    world,
    alice,
    bob: bob!,
    keyboard,
    paper,
    stop,
    run,
    running,
    /** The objects that came, or those of one event. */
    events(name?: string): Line[] {
      const all = paper.lines.map((line) => JSON.parse(line) as Line);
      return name === undefined ? all : all.filter(({ event }) => event === name);
    },
    /** Types a command and returns the objects that it is answered with, without message ids. */
    async answers(command: unknown): Promise<Line[]> {
      const before = paper.lines.length;
      keyboard.type(`${typeof command === "string" ? command : JSON.stringify(command)}\n`);
      await settle(16);
      return paper.lines.slice(before).map((line) => withoutId(JSON.parse(line)));
    },
    async end(): Promise<void> {
      keyboard.end();
      await running;
      await alice[Symbol.asyncDispose]();
      await bob?.node[Symbol.asyncDispose]();
    },
  };
}

/** The same object, whose message id has the right form, without it. */
export function withoutId({ message_id, ...rest }: Line): Line {
  if (message_id !== undefined) assert.ok(isMessageId(message_id));
  return rest;
}
