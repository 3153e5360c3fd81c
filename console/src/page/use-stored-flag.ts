import { useCallback, useState } from 'react';

/** A yes or no that is remembered between visits. */
export function useStoredFlag(name: string): [boolean, () => void] {
  const key = `tidings.console.${name}`;
  const [set, setSet] = useState(() => {
    try {
      return localStorage.getItem(key) !== null;
    } catch {
      return false;
    }
  });
  const raise = useCallback(() => {
    setSet(true);
    try {
      localStorage.setItem(key, '1');
    } catch {
      // Without storage it holds until the page is left.
    }
  }, [key]);
  return [set, raise];
}
