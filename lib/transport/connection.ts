/** A connection of the runtime as bytes in and out, whatever it is a connection of. */
export class ConnectionStream implements Disposable {
  #isClosed = false;
  #abandonWrite: (reason: Error) => void = () => {};

  constructor(private readonly connection: Deno.Conn) {}

  read(buffer: Uint8Array): Promise<number | null> {
    return this.connection.read(buffer as Uint8Array<ArrayBuffer>);
  }

  write(bytes: Uint8Array): Promise<number> {
    // Not every runtime ends a write that is under way when the connection is closed.
    return new Promise((resolve, reject) => {
      this.#abandonWrite = reject;
      this.connection.write(bytes as Uint8Array<ArrayBuffer>).then(resolve, reject);
    });
  }

  closeWrite(): Promise<void> {
    return this.connection.closeWrite();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.connection.close();
    this.#abandonWrite(new Error("Stream is closed"));
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
