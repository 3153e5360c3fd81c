import { useRef } from 'react';

import type { Access } from '../access/use-access';
import type { Changes } from '../server/changes';
import type { DeliveryPage } from './delivery';
import { isEverything, toAddress, toQuery, type Filter } from './filter';
import type { Feed } from './use-feed';
import { useFresh } from './use-fresh';

/** The page of deliveries that is looked at. */
export interface ListState {
  readonly page: DeliveryPage | undefined;
  /** Whether `page` belongs to an earlier filter. */
  readonly stale: boolean;
  readonly problem: string | undefined;
  /** Says which list it is. */
  readonly question: string;
}

/** The page of the list that is looked at: the newest as the server tells them, any other as often as something changes. */
export function useList(access: Access, filter: Filter, before: string | undefined, feed: Feed, changes: Changes): ListState {
  const told = isEverything(filter) && before === undefined;
  const question = `${toAddress(filter).toString()} ${before ?? ''}`;
  const asked = useFresh<DeliveryPage>(
    access,
    told ? undefined : question,
    () => `/deliveries?${toQuery(filter, before, new Date())}`,
    changes,
    500
  );
  const last = useRef<DeliveryPage>();
  const fresh = told ? feed.page : asked.of === question ? asked.answer : undefined;
  // The rows of the filter before stay until those of this one are there, so that nothing jumps.
  if (fresh !== undefined) last.current = fresh;
  const problem = told ? (feed.state === 'lost' ? (feed.reason ?? 'The server does not answer.') : undefined) : asked.problem;
  return { page: fresh ?? last.current, stale: fresh === undefined, problem, question };
}
