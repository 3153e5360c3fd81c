import { useCallback, useEffect, useRef, useState, type ReactNode } from 'react';

import type { Access } from '../access/use-access';
import { ApiRefusal } from '../server/api';
import type { Changes } from '../server/changes';
import { describeProblem } from './act';

/** Something that an operator asked for, and what came of it. */
export interface Operation {
  /** Whether one is under way: then no other is begun. */
  readonly busy: boolean;
  readonly outcome: { readonly good: boolean; readonly text: ReactNode } | undefined;
  /** Does it. What `act` resolves to is what there is to say. */
  run(act: (key: string | undefined) => Promise<ReactNode>): void;
}

/** Runs one operation at a time. `about` is what they are about: for another thing, the last outcome is forgotten. */
export function useOperation({ key, refuse }: Access, changes: Changes, about: unknown): Operation {
  const [state, setState] = useState<Omit<Operation, 'run'>>({ busy: false, outcome: undefined });
  const current = useRef(about);
  current.current = about;

  useEffect(() => setState({ busy: false, outcome: undefined }), [about]);

  const run = useCallback(
    (act: (key: string | undefined) => Promise<ReactNode>) => {
      const asked = current.current;
      const say = (good: boolean, text: ReactNode) => {
        if (current.current === asked) setState({ busy: false, outcome: { good, text } });
      };
      setState({ busy: true, outcome: undefined });
      act(key)
        .then(
          text => say(true, text),
          (error: unknown) => {
            if (error instanceof ApiRefusal && error.status === 401) return refuse(error);
            say(false, describeProblem(error));
          }
        )
        .finally(() => changes.tell());
    },
    [key, refuse, changes]
  );

  return { ...state, run };
}
