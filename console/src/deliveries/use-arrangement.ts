import { useRef, useState } from 'react';

import { arrange, type Arrangement } from './arrange';
import type { ListState } from './use-list';

/** Keeps the rows in their places while somebody looks at one of them. */
export function useArrangement(list: ListState, reading: boolean) {
  const shown = useRef<{ question: string; rows: Arrangement['rows'] }>({ question: '', rows: [] });
  const [, draw] = useState(0);
  const latest = list.page?.deliveries ?? [];
  const held = shown.current.question === list.question ? shown.current.rows : [];
  const arrangement = arrange(held, latest, reading);
  shown.current = { question: list.stale ? '' : list.question, rows: arrangement.rows };
  return {
    arrangement,
    release: () => {
      shown.current = { question: '', rows: [] };
      draw(count => count + 1);
    }
  };
}
