import { useSyncExternalStore } from 'react';

import { fromAddress, toAddress, type Filter } from '../deliveries/filter';

/** What the page shows, as its address says behind the `#`. Anything but `#/deliveries` is the desk. */
export type Route =
  | { readonly view: 'desk' }
  | {
      readonly view: 'deliveries';
      readonly filter: Filter;
      /** Deliveries older than this one; the newest where there is none. */
      readonly before: string | undefined;
      /** The delivery that is looked at. */
      readonly open: number | undefined;
    };

const DELIVERIES = '#/deliveries';

export function readRoute(hash: string): Route {
  const [path = '', query = ''] = hash.split('?', 2);
  const match = /^#\/deliveries(?:\/(\d{1,15}))?\/?$/.exec(path);
  if (match === null) return { view: 'desk' };
  const address = new URLSearchParams(query);
  const before = address.get('before') ?? '';
  return {
    view: 'deliveries',
    filter: fromAddress(address),
    before: /^\d+$/.test(before) ? before : undefined,
    open: match[1] === undefined ? undefined : Number(match[1])
  };
}

/** The address of the desk with its chat windows. */
export const deskHref = '#/';

/** The address of a list of deliveries, with one of them open perhaps. */
export function deliveriesHref({ filter, before, open }: { filter: Filter; before?: string | undefined; open?: number | undefined }): string {
  const address = toAddress(filter);
  if (before !== undefined) address.set('before', before);
  const path = open === undefined ? DELIVERIES : `${DELIVERIES}/${open}`;
  return address.size === 0 ? path : `${path}?${address.toString()}`;
}

/** Goes to another address of the page. With `replace` the way back leads past this one. */
export function go(href: string, { replace = false } = {}): void {
  if (!replace) {
    location.hash = href;
    return;
  }
  history.replaceState(null, '', href);
  // The browser tells of this change only if somebody else made it.
  dispatchEvent(new HashChangeEvent('hashchange'));
}

/** Where the page is. */
export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  return routes(hash);
}

let last: { hash: string; route: Route } | undefined;

/** The same object for the same address, so that effects may depend on it. */
function routes(hash: string): Route {
  if (last?.hash !== hash) last = { hash, route: readRoute(hash) };
  return last.route;
}

function subscribe(changed: () => void): () => void {
  addEventListener('hashchange', changed);
  return () => removeEventListener('hashchange', changed);
}
