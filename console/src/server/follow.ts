import { delayBefore, patience } from '../conversation/retry';
import { ApiRefusal, call } from './api';
import { EventReader } from './event-reader';

/** A server that says nothing for so long is gone: it sends a comment every fifteen seconds. */
const SILENCE_MS = 45_000;

/** How often a list is read whose stream can not be had. */
const POLL_MS = 5_000;

/** A list of the server's API that also tells its changes. */
export interface Source {
  /** The list: `/jobs`. Its stream of server-sent events is at `/jobs/events`. */
  readonly path: string;
  /** The name of the events that carry the list. */
  readonly event: string;
}

/** What whoever follows a list is told. */
export interface Follower<Page> {
  /** The list as it is now; `polled` where it was asked for, because no stream was free. */
  told(page: Page, polled: boolean): void;
  /** It can not be read at present, and is tried again. The reason is there if the server gave one. */
  lost(reason: ApiRefusal | undefined): void;
}

/**
 * Follows a list until `signal` is aborted, through every break: by its stream, or by asking again and again where the
 * server has no stream to spare. Throws the refusal if the server wants another key.
 */
export async function follow<Page>(
  source: Source,
  key: string | undefined,
  follower: Follower<Page>,
  signal: AbortSignal
): Promise<void> {
  let attempt = 0;
  while (!signal.aborted) {
    let reason: ApiRefusal | undefined;
    try {
      await readStream<Page>(source, key, signal, page => {
        attempt = 0;
        follower.told(page, false);
      });
    } catch (error) {
      if (error instanceof ApiRefusal && error.wantsKey) throw error;
      if (signal.aborted) return;
      if (error instanceof ApiRefusal) {
        const read = await readOnce(source, key, follower, signal);
        if (read === true) {
          await patience(POLL_MS, signal).catch(() => undefined);
          continue;
        }
        reason = read;
      }
    }
    if (signal.aborted) return;
    follower.lost(reason);
    attempt += 1;
    await patience(delayBefore(attempt), signal).catch(() => undefined);
  }
}

async function readStream<Page>(
  source: Source,
  key: string | undefined,
  signal: AbortSignal,
  told: (page: Page) => void
): Promise<void> {
  const silent = new AbortController();
  const hearing = () => setTimeout(() => silent.abort(), SILENCE_MS);
  let timer = hearing();
  try {
    const response = await call(`${source.path}/events`, {
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
        if (event === source.event) told(JSON.parse(data) as Page);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Asks for the list itself. Resolves to true if that worked, else to the refusal if there was one. */
async function readOnce<Page>(
  source: Source,
  key: string | undefined,
  follower: Follower<Page>,
  signal: AbortSignal
): Promise<true | ApiRefusal | undefined> {
  try {
    const response = await call(source.path, { key, signal });
    follower.told((await response.json()) as Page, true);
    return true;
  } catch (error) {
    if (!(error instanceof ApiRefusal)) return undefined;
    if (error.wantsKey) throw error;
    return error;
  }
}
