import { useEffect, useState } from 'react';

import { delayBefore } from '../conversation/retry';
import type { JobPage } from './job';

export interface Jobs {
  readonly page: JobPage | undefined;
  /** `loading` before the first answer; `lost` when the stream broke and is being reopened. */
  readonly state: 'loading' | 'live' | 'lost';
}

const url = new URL('/api/v1/jobs', document.baseURI).href;

/** The job log: read once, then followed through server-sent events for as long as the page is open. */
export function useJobs(): Jobs {
  const [jobs, setJobs] = useState<Jobs>({ page: undefined, state: 'loading' });

  useEffect(() => {
    const ended = new AbortController();
    let attempt = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let events: EventSource | undefined;

    fetch(url, { headers: { Accept: 'application/json' }, cache: 'no-store', signal: ended.signal })
      .then(response => (response.ok ? (response.json() as Promise<JobPage>) : undefined))
      // The events begin with the same page, so whatever goes wrong here is made good there.
      .catch(() => undefined)
      .then(page => {
        if (page) setJobs(jobs => (jobs.page ? jobs : { ...jobs, page }));
      });

    const follow = () => {
      events = new EventSource(`${url}/events`);
      events.addEventListener('jobs', event => {
        attempt = 0;
        setJobs({ page: JSON.parse((event as MessageEvent<string>).data) as JobPage, state: 'live' });
      });
      events.onerror = () => {
        // An EventSource gives up when the answer is not a stream; and its own pace is slower than a restart.
        events?.close();
        setJobs(jobs => ({ ...jobs, state: 'lost' }));
        attempt += 1;
        timer = setTimeout(follow, delayBefore(attempt));
      };
    };
    follow();

    return () => {
      ended.abort();
      clearTimeout(timer);
      events?.close();
    };
  }, []);

  return jobs;
}
