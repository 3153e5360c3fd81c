import { useCallback, useMemo, useState } from 'react';

import { ApiRefusal, call, sentence } from '../server/api';
import { forgetKey, loadKey, saveKey } from './key';

/** The key of this visit, and how it comes and goes. */
export interface Access {
  readonly key: string | undefined;
  /** Why the last key was not taken, or no longer is: a sentence. */
  readonly refusal: string | undefined;
  /** Whether the server has refused what this page asked without a key, or with one. */
  readonly refused: boolean;
  /** Tries a key, and keeps it if it opens the job log, or the deliveries. */
  signIn(key: string): Promise<void>;
  signOut(): void;
  /** The server wants another key, for this reason. */
  refuse(reason: ApiRefusal): void;
}

interface State {
  readonly key: string | undefined;
  readonly refusal?: string | undefined;
  readonly refused: boolean;
}

export function useAccess(): Access {
  const [state, setState] = useState<State>(() => ({ key: loadKey(), refused: false }));

  const signIn = useCallback(async (key: string) => {
    try {
      await tryKey(key);
      saveKey(key);
      setState({ key, refused: false });
    } catch (error) {
      const refusal = error instanceof ApiRefusal ? sentence(error.message) : 'The server does not answer. Try again.';
      setState(state => ({ ...state, refusal }));
    }
  }, []);

  const signOut = useCallback(() => {
    forgetKey();
    setState({ key: undefined, refused: true });
  }, []);

  const refuse = useCallback((reason: ApiRefusal) => {
    forgetKey();
    setState(({ key }) => ({
      key: undefined,
      refused: true,
      // Whoever had no key has done nothing wrong: the form says what is needed.
      refusal: key === undefined ? undefined : sentence(reason.message)
    }));
  }, []);

  return useMemo(
    () => ({ key: state.key, refusal: state.refusal, refused: state.refused, signIn, signOut, refuse }),
    [state, signIn, signOut, refuse]
  );
}

/** Throws what the server says about the job log, unless the key opens that or the deliveries. */
async function tryKey(key: string): Promise<void> {
  const ask = (path: string) => call(path, { key, signal: AbortSignal.timeout(20_000) });
  try {
    await ask('/jobs?limit=1');
  } catch (error) {
    if (!(error instanceof ApiRefusal) || error.status !== 403) throw error;
    await ask('/deliveries?limit=1').catch(() => Promise.reject(error));
  }
}
