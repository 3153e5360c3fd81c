import { useLayoutEffect, useRef, type RefObject } from 'react';

/**
 * For an element that can go away while somebody is on it with the keyboard: the focus then goes to its heir, in place of
 * nowhere, from where the keyboard begins at the top of the page again.
 */
export function useHeir<E extends HTMLElement>(heir: () => HTMLElement | null): RefObject<E> {
  const element = useRef<E>(null);
  const latest = useRef(heir);
  latest.current = heir;
  useLayoutEffect(() => {
    const leaving = element.current;
    return () => {
      if (!leaving?.matches(':focus-visible')) return;
      // After everything else has been drawn: the heir may be new, or about to go too.
      queueMicrotask(() => {
        if (document.activeElement === document.body) latest.current()?.focus();
      });
    };
  }, []);
  return element;
}
