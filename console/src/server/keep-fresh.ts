import type { Changes } from './changes';

/** An answer that takes longer is none. */
const ANSWER_MS = 20_000;

/** Without a hint, it is asked again after so long. */
const EVERY_MS = 5_000;

export interface Hearer<Answer> {
  told(answer: Answer): void;
  failed(error: unknown): void;
}

/**
 * Asks again after every change, and every few seconds in case one was not told, until `signal` is aborted. Never asks
 * twice at a time, and pauses at least `gap` milliseconds after each answer.
 */
export async function keepFresh<Answer>(
  ask: (signal: AbortSignal) => Promise<Answer>,
  hearer: Hearer<Answer>,
  changes: Changes,
  gap: number,
  signal: AbortSignal
): Promise<void> {
  while (!signal.aborted) {
    const seen = changes.count;
    try {
      const answer = await ask(AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]));
      if (!signal.aborted) hearer.told(answer);
    } catch (error) {
      if (!signal.aborted) hearer.failed(error);
    }
    await pause(gap, signal);
    await changes.after(seen, EVERY_MS, signal);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}
