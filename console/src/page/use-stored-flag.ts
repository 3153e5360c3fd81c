import { useCallback, useState } from 'react';

/** A yes or no that is remembered between visits. */
export interface StoredFlag {
  readonly raised: boolean;
  raise(): void;
  /** Raises it for the next visit, and leaves this one as it is. */
  raiseLater(): void;
}

export function useStoredFlag(name: string): StoredFlag {
  const key = `tidings.console.${name}`;
  const [raised, setRaised] = useState(() => {
    try {
      return localStorage.getItem(key) !== null;
    } catch {
      return false;
    }
  });
  const raiseLater = useCallback(() => {
    try {
      localStorage.setItem(key, '1');
    } catch {
      // Without storage it holds until the page is left.
    }
  }, [key]);
  const raise = useCallback(() => {
    setRaised(true);
    raiseLater();
  }, [raiseLater]);
  return { raised, raise, raiseLater };
}
