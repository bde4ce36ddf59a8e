/** Runs when its turn has come; at once, so that the next turn sees its effect. */
type Job = () => void;

/**
 * Lets hosts take turns while the consumer is slow: one job of a host waits for it, the host's
 * others wait behind that one. A host with a hundred connections gets no more than one with one.
 */
export class HostTurns {
  /** Jobs that wait, by host, in order. A host is here for as long as it waits. */
  readonly #waiting = new Map<string, Job[]>();

  /** @param ready Resolves when the consumer wants more; `undefined` when it does now. */
  constructor(private readonly ready: () => Promise<void> | undefined) {}

  /**
   * Runs `job` when it is the host's turn.
   *
   * @returns Settles when it has run, rejected with what it threw; `undefined` when it has run
   *   already. The owner bounds how many wait.
   */
  run(host: string, job: Job): Promise<void> | undefined {
    let jobs = this.#waiting.get(host);
    if (jobs === undefined) {
      const wait = this.ready();
      if (wait === undefined) {
        job();
        return undefined;
      }
      jobs = [];
      this.#waiting.set(host, jobs);
      void this.#serve(host, jobs, wait);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    jobs.push(() => {
      try {
        resolve(job());
      } catch (error) {
        reject(error);
      }
    });
    return promise;
  }

  /** Whether a host waits for the consumer. */
  waits(host: string): boolean {
    return this.#waiting.has(host);
  }

  async #serve(host: string, jobs: Job[], wait: Promise<void> | undefined): Promise<void> {
    while (true) {
      if (wait !== undefined) await wait;
      jobs.shift()!();
      if (jobs.length === 0) break;
      wait = this.ready();
    }
    this.#waiting.delete(host);
  }
}
