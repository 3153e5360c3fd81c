import { describe, expect, it } from 'vitest';

import { paused, throttled } from './recorded/recorded';
import { shorten, timeline } from './timeline';

describe('timeline', () => {
  it('tells the whole life of a delivery in its order, with the length of every wait and attempt', () => {
    const entries = timeline(throttled, new Date('2026-11-27T10:00:00Z'));
    const told = entries.map(entry => {
      switch (entry.kind) {
        case 'wait':
          return [entry.reason, entry.length];
        case 'attempt':
          return [entry.attempt.outcome, entry.length];
        default:
          return [entry.kind, undefined];
      }
    });
    expect(told).toEqual([
      ['accepted', undefined],
      ['not_sent', { is: 'over', milliseconds: 40 }],
      ['backoff', { is: 'over', milliseconds: 1_050 }],
      ['throttled', { is: 'over', milliseconds: 50 }],
      ['retry_after', { is: 'over', milliseconds: 19_050 }],
      ['delivered', { is: 'over', milliseconds: 131 }],
      ['end', undefined]
    ]);
  });

  it('knows that a wait goes on, and until when where that is known', () => {
    const now = new Date('2026-11-27T09:15:40Z');
    expect(timeline(paused, now).at(-1)).toMatchObject({ reason: 'paused', length: { is: 'going on', until: undefined } });

    const until = '2026-11-27T09:16:00Z';
    const reason = 'scheduled';
    const due = { ...paused, wait: { reason, until }, waits: [{ since: paused.createdAt, until, reason }] };
    expect(timeline(due, now).at(-1)).toMatchObject({ length: { is: 'going on', until } });
    expect(timeline(due, new Date('2026-11-27T09:16:01Z')).slice(1)).toMatchObject([{ reason, length: { is: 'over' } }]);
  });

  it('tells what it waits for now, where only waits that are over are on record', () => {
    const now = new Date('2026-11-27T09:15:40Z');
    const waiting = { ...paused, waits: [] };
    expect(timeline(waiting, now).slice(1)).toMatchObject([
      { at: paused.updatedAt, reason: 'paused', length: { is: 'going on', until: undefined } }
    ]);
    expect(timeline({ ...waiting, wait: null }, now).length).toBe(1);
    expect(timeline(paused, now).length, 'and tells it once').toBe(2);
  });

  it('does not say that something goes on in a delivery that has ended', () => {
    const waits = [{ since: throttled.createdAt, until: null, reason: 'breaker' }];
    const entries = timeline({ ...throttled, waits, attempts: [] }, new Date('2026-11-27T10:00:00Z'));
    expect(entries[1]).toMatchObject({ kind: 'wait', length: { is: 'unknown' } });
  });

  it('puts the acceptance first and the end last where all of it is one moment', () => {
    const at = throttled.createdAt;
    const attempt = { ...throttled.attempts[2]!, beganAt: at, endedAt: at };
    const waits = [{ since: at, until: at, reason: 'pacing' }];
    const entries = timeline({ ...throttled, endedAt: at, attempts: [attempt], waits }, new Date(at));
    expect(entries.map(({ kind }) => kind)).toEqual(['accepted', 'wait', 'attempt', 'end']);
  });
});

describe('shorten', () => {
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

  it('keeps the beginning and the end of what is long', () => {
    expect(shorten(numbers(10), 2, 3)).toEqual({ head: [0, 1], left: 5, tail: [7, 8, 9] });
  });

  it('leaves alone what would save nothing', () => {
    expect(shorten(numbers(7), 2, 3)).toEqual({ head: numbers(7), left: 0, tail: [] });
  });
});
