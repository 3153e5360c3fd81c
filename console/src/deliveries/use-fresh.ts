import { useEffect, useState } from 'react';

import type { Access } from '../access/use-access';
import { ApiRefusal, call, sentence } from '../server/api';
import type { Changes } from '../server/changes';
import { keepFresh } from '../server/keep-fresh';

/** What the server answers to a question that is asked again and again. */
export interface Fresh<Answer> {
  readonly answer: Answer | undefined;
  /** Which question `answer` belongs to: while a new one is asked, the old answer stays. */
  readonly of: string | undefined;
  /** Why there is no newer answer: a sentence. */
  readonly problem: string | undefined;
}

const nothing = { answer: undefined, of: undefined, problem: undefined };

/**
 * Asks `path()` now, after every change, and every few seconds. `question` says which question it is; undefined asks
 * nothing.
 */
export function useFresh<Answer>(
  { key, refuse }: Access,
  question: string | undefined,
  path: (question: string) => string,
  changes: Changes,
  gap: number
): Fresh<Answer> {
  const [fresh, setFresh] = useState<Fresh<Answer>>(nothing);

  useEffect(() => {
    if (question === undefined) {
      setFresh(nothing);
      return;
    }
    const ended = new AbortController();
    setFresh(fresh => ({ ...fresh, problem: undefined }));
    void keepFresh(
      async signal => (await (await call(path(question), { key, signal })).json()) as Answer,
      {
        told: answer => setFresh({ answer, of: question, problem: undefined }),
        failed: error => {
          if (error instanceof ApiRefusal && error.status === 401) {
            ended.abort();
            return refuse(error);
          }
          const problem = error instanceof ApiRefusal ? sentence(error.message) : 'The server does not answer.';
          setFresh(fresh => ({ ...fresh, problem }));
        }
      },
      changes,
      gap,
      ended.signal
    );
    return () => ended.abort();
    // `path` is made anew for every drawing; `question` stands for it.
  }, [key, refuse, question, changes, gap]);

  return fresh;
}
