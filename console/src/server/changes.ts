/** Tells whoever waits that something has changed on the server. */
export class Changes {
  #count = 0;
  readonly #waiting = new Set<() => void>();

  /** How many there have been: read it before asking the server, so that none is missed meanwhile. */
  get count(): number {
    return this.#count;
  }

  tell(): void {
    this.#count += 1;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Waits until there have been more than `seen`, but no longer than so many milliseconds, nor after the end. */
  after(seen: number, milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.#count !== seen || signal.aborted) return Promise.resolve();
    return new Promise(resolve => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      this.#waiting.add(done);
      signal.addEventListener('abort', done);
    });
  }
}
