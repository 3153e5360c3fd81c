/** Which deliveries are looked at. */
export interface Filter {
  /** Empty: all. */
  readonly states: readonly string[];
  readonly conversation?: string;
  readonly channel?: string;
  /** The time at which they were accepted: until now, or between two moments. */
  readonly period?: Period;
  readonly since?: string;
  readonly until?: string;
}

export type Period = keyof typeof periods;

/** The periods that can be chosen, with their length in minutes. */
export const periods = {
  '15m': { title: 'Last 15 minutes', minutes: 15 },
  '1h': { title: 'Last hour', minutes: 60 },
  '24h': { title: 'Last 24 hours', minutes: 1_440 },
  '7d': { title: 'Last 7 days', minutes: 10_080 }
} as const;

export const everything: Filter = { states: [] };

/** How many are on a page. */
export const PAGE_SIZE = 50;

export function isEverything(filter: Filter): boolean {
  return toAddress(filter).size === 0;
}

/** The filter as it stands in the page's own address. */
export function toAddress(filter: Filter): URLSearchParams {
  const address = new URLSearchParams();
  if (filter.states.length > 0) address.set('state', filter.states.join(','));
  for (const name of ['conversation', 'channel', 'period', 'since', 'until'] as const) {
    const value = filter[name];
    if (value) address.set(name, value);
  }
  return address;
}

/** Reads what `toAddress` wrote, or what somebody typed: what makes no sense is left out. */
export function fromAddress(address: URLSearchParams): Filter {
  const text = (name: string) => address.get(name)?.trim() || undefined;
  const moment = (name: string) => {
    const value = text(name);
    return value !== undefined && !Number.isNaN(Date.parse(value)) ? value : undefined;
  };
  const period = text('period');
  const known = period !== undefined && Object.hasOwn(periods, period) ? (period as Period) : undefined;
  return compact({
    states: [...new Set((text('state') ?? '').split(',').map(state => state.trim()).filter(Boolean))],
    conversation: text('conversation'),
    channel: text('channel'),
    period: known,
    since: known === undefined ? moment('since') : undefined,
    until: known === undefined ? moment('until') : undefined
  });
}

/** The filter as the server wants it. */
export function toQuery(filter: Filter, before: string | undefined, now: Date): string {
  const query = new URLSearchParams();
  if (filter.states.length > 0) query.set('state', filter.states.join(','));
  if (filter.channel) query.set('channelId', filter.channel);
  if (filter.conversation) query.set('conversationId', filter.conversation);
  const since = filter.period
    ? new Date(now.getTime() - periods[filter.period].minutes * 60_000).toISOString()
    : filter.since;
  if (since) query.set('since', since);
  if (filter.until && !filter.period) query.set('until', filter.until);
  query.set('limit', String(PAGE_SIZE));
  if (before) query.set('before', before);
  return query.toString();
}

/** The filter with something changed; what is set to undefined goes. */
export function change(filter: Filter, changes: { readonly [Name in keyof Filter]?: Filter[Name] | undefined }): Filter {
  return compact({ ...filter, ...changes });
}

function compact(filter: { readonly [Name in keyof Filter]: Filter[Name] | undefined }): Filter {
  const entries = Object.entries(filter).filter(([, value]) => value !== undefined && value !== '');
  return { states: [], ...Object.fromEntries(entries) };
}
