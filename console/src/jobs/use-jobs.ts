import { useEffect, useState } from 'react';

import type { Access } from '../access/use-access';
import { ApiRefusal } from '../server/api';
import { follow } from './follow';
import type { JobPage } from './job';

export interface Jobs {
  readonly page: JobPage | undefined;
  /** `loading` before the first answer; `lost` when the stream broke and is being reopened. */
  readonly state: 'loading' | 'live' | 'lost';
}

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
    follow(key, follower, ended.signal).catch((error: unknown) => {
      if (error instanceof ApiRefusal) refuse(error);
    });
    return () => {
      ended.abort();
      // Whoever signs in next may be somebody else.
      setJobs(loading);
    };
  }, [key, refused, refuse, ready]);

  return jobs;
}
