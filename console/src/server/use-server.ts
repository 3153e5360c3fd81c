import { useEffect, useState } from 'react';

import { delayBefore, patience } from '../conversation/retry';
import { ApiRefusal, call } from './api';

/** GET /api/v1/server, which needs no key. */
export interface ServerFacts {
  /** Whether the chat windows have a channel to speak through. */
  readonly localChannel: boolean;
  /** Whether the API asks for a key. */
  readonly authenticated: boolean;
}

/** What the server is; undefined until it has said so. */
export function useServer(): ServerFacts | undefined {
  const [facts, setFacts] = useState<ServerFacts | undefined>();
  useEffect(() => {
    const ended = new AbortController();
    askUntilAnswered(ended.signal).then(setFacts, () => undefined);
    return () => ended.abort();
  }, []);
  return facts;
}

async function askUntilAnswered(signal: AbortSignal): Promise<ServerFacts> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await call('/server', { signal: AbortSignal.any([signal, AbortSignal.timeout(20_000)]) });
      return (await response.json()) as ServerFacts;
    } catch (error) {
      if (signal.aborted) throw error;
      // A server that does not know the question is of a version that had nothing else.
      if (error instanceof ApiRefusal && error.status === 404) return { localChannel: true, authenticated: false };
    }
    await patience(delayBefore(attempt), signal);
  }
}
