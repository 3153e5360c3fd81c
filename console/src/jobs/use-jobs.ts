import { useEffect, useState } from 'react';

import type { Access } from '../access/use-access';
import { ApiRefusal, sentence } from '../server/api';
import { follow } from '../server/follow';
import type { JobPage } from './job';

export interface Jobs {
  readonly page: JobPage | undefined;
  /**
   * `loading` before the first answer; `lost` when the stream broke and is being reopened; `forbidden` when the key may
   * not see the log.
   */
  readonly state: 'loading' | 'live' | 'lost' | 'forbidden';
  /** What the server said about it: a sentence. */
  readonly reason?: string;
}

const source = { path: '/jobs', event: 'jobs' };
const loading: Jobs = { page: undefined, state: 'loading' };

/** The job log, followed through server-sent events for as long as the page is open and may see it. */
export function useJobs({ key, refused, refuse }: Access, ready: boolean): Jobs {
  const [jobs, setJobs] = useState<Jobs>(loading);

  useEffect(() => {
    if (!ready || refused) return;
    const ended = new AbortController();
    const follower = {
      told: (page: JobPage) => setJobs({ page, state: 'live' }),
      lost: () => setJobs(jobs => ({ ...jobs, state: 'lost' }))
    };
    follow(source, key, follower, ended.signal).catch((error: unknown) => {
      if (!(error instanceof ApiRefusal)) return;
      // It may be a key for the deliveries only.
      if (error.status === 403 && key !== undefined) {
        setJobs({ page: undefined, state: 'forbidden', reason: sentence(error.message) });
      } else {
        refuse(error);
      }
    });
    return () => {
      ended.abort();
      // Whoever signs in next may be somebody else.
      setJobs(loading);
    };
  }, [key, refused, refuse, ready]);

  return jobs;
}
