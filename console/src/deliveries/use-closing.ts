import { useCallback, useEffect, useRef } from 'react';

import { deliveriesHref, go } from '../page/route';
import type { Filter } from './filter';

/** Closes the open delivery, by Esc too, and goes back to its row: to where the list was, where it had made way. */
export function useClosing(open: number | undefined, filter: Filter, before: string | undefined): () => void {
  const scrolled = useRef(0);
  const last = useRef<number>();
  const href = deliveriesHref({ filter, before });

  if (open === undefined && last.current === undefined) scrolled.current = globalThis.scrollY;
  useEffect(() => {
    const row = last.current;
    last.current = open;
    const inItsPlace = matchMedia('(max-width: 1099px)').matches;
    if (open !== undefined) {
      if (inItsPlace) scrollTo({ top: 0 });
      return;
    }
    if (row === undefined) return;
    if (inItsPlace) scrollTo({ top: scrolled.current });
    document.querySelector<HTMLElement>(`[data-delivery="${row}"] th a`)?.focus({ preventScroll: true });
  }, [open]);

  const close = useCallback(() => go(href), [href]);
  useEffect(() => {
    if (open === undefined) return;
    const escape = (event: KeyboardEvent) => {
      // A list of suggestions, or a menu, closes first.
      if (event.key === 'Escape' && !event.defaultPrevented && !(event.target as Element).closest('input, select')) close();
    };
    addEventListener('keydown', escape);
    return () => removeEventListener('keydown', escape);
  }, [open, close]);
  return close;
}
