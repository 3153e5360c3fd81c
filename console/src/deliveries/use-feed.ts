import { useEffect, useState } from 'react';

import type { Access } from '../access/use-access';
import { ApiRefusal, sentence } from '../server/api';
import { Changes } from '../server/changes';
import { follow } from '../server/follow';
import type { DeliveryPage } from './delivery';

/** The newest deliveries, as the server tells them. */
export interface Feed {
  readonly page: DeliveryPage | undefined;
  /**
   * - `loading`: before the first answer;
   * - `live`: told as they change;
   * - `polled`: asked for every few seconds, because the server has no stream to spare;
   * - `lost`: not up to date, it is tried again;
   * - `forbidden`: the key may not see them.
   */
  readonly state: 'loading' | 'live' | 'polled' | 'lost' | 'forbidden';
  /** What the server said about it: a sentence. */
  readonly reason: string | undefined;
}

const source = { path: '/deliveries', event: 'deliveries' };
const loading: Feed = { page: undefined, state: 'loading', reason: undefined };

/** Follows the newest deliveries for as long as somebody looks at them, and tells `changes` of each change. */
export function useFeed({ key, refuse }: Access, changes: Changes): Feed {
  const [feed, setFeed] = useState<Feed>(loading);

  useEffect(() => {
    const ended = new AbortController();
    const follower = {
      told: (page: DeliveryPage, polled: boolean) => {
        setFeed({ page, state: polled ? 'polled' : 'live', reason: undefined });
        changes.tell();
      },
      lost: (reason: ApiRefusal | undefined) =>
        setFeed(feed => ({ ...feed, state: 'lost', reason: reason && sentence(reason.message) }))
    };
    follow(source, key, follower, ended.signal).catch((error: unknown) => {
      if (!(error instanceof ApiRefusal)) return;
      // Another key may see other things: whoever has one keeps what it opens.
      if (error.status === 403 && key !== undefined) {
        setFeed({ page: undefined, state: 'forbidden', reason: sentence(error.message) });
      } else {
        refuse(error);
      }
    });
    return () => {
      ended.abort();
      setFeed(loading);
    };
  }, [key, refuse, changes]);

  return feed;
}
