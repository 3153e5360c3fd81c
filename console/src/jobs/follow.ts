import { delayBefore, patience } from '../conversation/retry';
import { ApiRefusal, call } from '../server/api';
import { EventReader } from './event-reader';
import type { JobPage } from './job';

/** A server that says nothing for so long is gone: it sends a comment every fifteen seconds. */
const SILENCE_MS = 45_000;

/** What whoever follows the log is told. */
export interface Follower {
  /** The log as it is now. */
  told(page: JobPage): void;
  /** The stream broke; it is opened again. */
  lost(): void;
}

/**
 * Follows GET /api/v1/jobs/events until `signal` is aborted, through every break. Throws the refusal if the server wants
 * another key.
 */
export async function follow(key: string | undefined, follower: Follower, signal: AbortSignal): Promise<void> {
  let attempt = 0;
  let seen = false;
  while (!signal.aborted) {
    try {
      await readStream(key, signal, page => {
        attempt = 0;
        seen = true;
        follower.told(page);
      });
    } catch (error) {
      if (error instanceof ApiRefusal && error.wantsKey) throw error;
      if (signal.aborted) return;
      // All streams may be taken: then the log is at least read once.
      if (error instanceof ApiRefusal && !seen) seen = await readOnce(key, follower, signal);
    }
    if (signal.aborted) return;
    follower.lost();
    attempt += 1;
    await patience(delayBefore(attempt), signal).catch(() => undefined);
  }
}

async function readStream(key: string | undefined, signal: AbortSignal, told: (page: JobPage) => void): Promise<void> {
  const silent = new AbortController();
  const hearing = () => setTimeout(() => silent.abort(), SILENCE_MS);
  let timer = hearing();
  try {
    const response = await call('/jobs/events', {
      key,
      accept: 'text/event-stream',
      signal: AbortSignal.any([signal, silent.signal])
    });
    const pieces = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const reader = new EventReader();
    for (;;) {
      const piece = await pieces?.read();
      if (piece === undefined || piece.done) return;
      clearTimeout(timer);
      timer = hearing();
      for (const { event, data } of reader.push(piece.value)) {
        if (event === 'jobs') told(JSON.parse(data) as JobPage);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

async function readOnce(key: string | undefined, follower: Follower, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await call('/jobs', { key, signal });
    follower.told((await response.json()) as JobPage);
    return true;
  } catch (error) {
    if (error instanceof ApiRefusal && error.wantsKey) throw error;
    return false;
  }
}
