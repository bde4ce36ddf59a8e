/**
 * What a terminal would show: a small screen that understands the control functions which a line
 * editor needs. Everything else is an error, so that a test notices what it does not understand.
 */
export class Screen {
  readonly #rows: string[][] = [[]];
  #row = 0;
  #column = 0;
  #pending = "";

  /** @param columns Width; longer lines wrap. */
  constructor(readonly columns: number) {}

  /** The rows, without white space at their ends and without empty rows at the bottom. */
  get rows(): string[] {
    const rows = this.#rows.map((row) => Array.from(row, (cell) => cell ?? " ").join("").trimEnd());
    while (rows.length > 0 && rows.at(-1) === "") rows.pop();
    return rows;
  }

  /** The row that the cursor is in, and the column, both from 0. */
  get cursor(): { row: number; column: number } {
    return { row: this.#row, column: this.#column };
  }

  /** Takes what a program wrote. Parts may end anywhere. */
  write(text: string): void {
    let rest = this.#pending + text;
    this.#pending = "";
    while (rest !== "") {
      if (rest.startsWith("\x1b")) {
        const body = rest.slice(1);
        const match = /^(?:\[([0-9;?]*)([@-~])|[=>78])/.exec(body);
        if (match === null) {
          if (!/^(?:\[[0-9;?]*)?$/.test(body)) {
            throw new Error(`Control sequence that is not understood: ${JSON.stringify(rest)}`);
          }
          this.#pending = rest;
          return;
        }
        const [sequence, parameters, final] = match;
        if (final !== undefined) this.#control(final, parameters, `\x1b${sequence}`);
        rest = body.slice(sequence.length);
        continue;
      }
      const character = String.fromCodePoint(rest.codePointAt(0)!);
      this.#character(character);
      rest = rest.slice(character.length);
    }
  }

  #character(character: string): void {
    switch (character) {
      case "\r":
        this.#column = 0;
        return;
      case "\n":
        this.#move(this.#row + 1, this.#column);
        return;
      case "\b":
        this.#column = Math.max(0, this.#column - 1);
        return;
      case "\x07":
        return;
    }
    if (/\p{Cc}/u.test(character)) {
      throw new Error(`Control character that is not understood: ${JSON.stringify(character)}`);
    }
    if (this.#column >= this.columns) this.#move(this.#row + 1, 0);
    this.#rows[this.#row][this.#column++] = character;
  }

  #control(final: string, parameters: string, sequence: string): void {
    const [first] = parameters.split(";");
    const count = Math.max(1, Number(first) || 1);
    switch (final) {
      case "A":
        return this.#move(Math.max(0, this.#row - count), this.#column);
      case "B":
        return this.#move(this.#row + count, this.#column);
      case "C":
        return this.#move(this.#row, Math.min(this.columns - 1, this.#column + count));
      case "D":
        return this.#move(this.#row, Math.max(0, this.#column - count));
      case "G":
        return this.#move(this.#row, count - 1);
      case "J":
        if (first !== "" && first !== "0") break;
        this.#rows.length = this.#row + 1;
        this.#rows[this.#row].length = Math.min(this.#rows[this.#row].length, this.#column);
        return;
      case "K": {
        const row = this.#rows[this.#row];
        if (first === "2") row.length = 0;
        else if (first === "1") row.fill(" ", 0, this.#column + 1);
        else row.length = Math.min(row.length, this.#column);
        return;
      }
      case "m":
        return;
      case "h":
      case "l":
        if (parameters.startsWith("?")) return; // Modes such as bracketed paste show nothing.
    }
    throw new Error(`Control sequence that is not understood: ${JSON.stringify(sequence)}`);
  }

  #move(row: number, column: number): void {
    while (this.#rows.length <= row) this.#rows.push([]);
    this.#row = row;
    this.#column = column;
  }
}
