import { describe, expect, it } from 'vitest';

import { change, everything, fromAddress, isEverything, toAddress, toQuery, type Filter } from './filter';

const now = new Date('2026-11-27T09:15:30Z');
const full: Filter = { states: ['dead', 'unknown'], conversation: '19:a&b=c', channel: 'msteams', period: '1h' };
const range: Filter = { states: [], since: '2026-11-27T08:00:00.000Z', until: '2026-11-27T09:00:00.000Z' };

describe('a filter', () => {
  it('comes back from the address as it was', () => {
    for (const filter of [everything, full, range]) {
      expect(fromAddress(new URLSearchParams(toAddress(filter).toString()))).toEqual(filter);
    }
  });

  it('leaves out of an address what makes no sense', () => {
    const typed = 'state=dead,,%20dead&period=fortnight&since=soon&until=2026-11-27&conversation=%20';
    expect(fromAddress(new URLSearchParams(typed))).toEqual({ states: ['dead'], until: '2026-11-27' });
    expect(fromAddress(new URLSearchParams('period=toString'))).toEqual(everything);
  });

  it('asks the server for the period as it is now', () => {
    expect(Object.fromEntries(new URLSearchParams(toQuery(full, '123', now)))).toEqual({
      state: 'dead,unknown',
      channelId: 'msteams',
      conversationId: '19:a&b=c',
      since: '2026-11-27T08:15:30.000Z',
      limit: '50',
      before: '123'
    });
  });

  it('asks the server for a range as it is', () => {
    expect(toQuery(range, undefined, now)).toBe(
      'since=2026-11-27T08%3A00%3A00.000Z&until=2026-11-27T09%3A00%3A00.000Z&limit=50'
    );
  });

  it('is changed in one thing at a time', () => {
    expect(change(full, { period: undefined, states: [] })).toEqual({
      states: [],
      conversation: '19:a&b=c',
      channel: 'msteams'
    });
  });

  it('knows when it leaves nothing out', () => {
    expect([everything, full, range].map(isEverything)).toEqual([true, false, false]);
  });
});
