import { describe, expect, it } from 'vitest';

import type { Delivery } from './delivery';
import { describeContent, describeOwed, isLanePaused } from './delivery';
import { paused, throttled } from './recorded/recorded';
import { canCancel, canRetry, describeCourse, describeFailure, describeOutcome, describeState, groups } from './states';

const states = [
  'scheduled',
  'held',
  'available',
  'sending',
  'retryable',
  'delivered',
  'dead',
  'expired',
  'cancelled',
  'refused',
  'merged',
  'unknown'
];
const course = (changes: Partial<Delivery>, delivery: Delivery = throttled) =>
  describeCourse({ ...delivery, ...changes }, iso => iso.slice(11, 19));

describe('states', () => {
  it('all have words, and are counted once', () => {
    for (const state of states) expect(describeState(state).text).not.toBe(state);
    expect(groups.flatMap(group => group.states).sort()).toEqual([...states].sort());
  });

  it('of a newer server are shown as it calls them', () => {
    expect(describeState('postponed')).toMatchObject({ text: 'postponed', tone: 'quiet' });
    expect(describeOutcome({ outcome: 'sent_by_pigeon' })).toEqual({ text: 'sent by pigeon', tone: 'quiet' });
  });

  it('say what an operator may do', () => {
    const may = (can: (delivery: Delivery) => boolean) => states.filter(state => can({ ...throttled, state }));
    expect(may(canCancel)).toEqual(['scheduled', 'held', 'available', 'retryable']);
    expect(may(canRetry)).toEqual(['dead', 'unknown']);
  });
});

describe('describeCourse', () => {
  it('says how long a delivery took, at which attempt, and whether it may be there twice', () => {
    expect(course({})).toBe('in 20 s, at attempt 3');
    expect(course({ starts: 1 })).toBe('in 20 s');
    expect(course({ repeatPossible: true })).toBe('in 20 s, perhaps twice');
  });

  it('says why one waits, and until when', () => {
    expect(course({}, paused)).toBe('paused by an operator');
    expect(course({ wait: { reason: 'retry_after', until: '2026-11-27T09:16:00Z' } }, paused)).toBe(
      'as the channel asked, until 09:16:00'
    );
    expect(course({ wait: { reason: 'held', until: null }, state: 'held', reason: 'quiet_hours' }, paused)).toBe('quiet hours');
    expect(course({ wait: null, state: 'scheduled', dueAt: '2026-11-27T09:16:00Z' }, paused)).toBe('due 09:16:00');
    expect(course({ wait: null }, paused)).toBe('');
  });

  it('says why one has failed', () => {
    expect(course({ state: 'dead', reason: 'closed' })).toBe(
      'the conversation is closed to the bot: 429 TooManyRequests'
    );
    expect(course({ state: 'expired', lastFailure: null })).toBe('');
    expect(course({ state: 'merged', mergedInto: 12 })).toBe('into delivery 12');
  });
});

describe('describeFailure', () => {
  it('is short where the channel was', () => {
    expect(describeFailure({ status: 429, code: 'TooManyRequests', message: 'Too many requests' })).toBe('429 TooManyRequests');
    expect(describeFailure({ status: null, code: null, message: 'connection refused' })).toBe('connection refused');
    expect(describeFailure({ status: null, code: null, message: null })).toBe('no answer');
  });
});

describe('describeContent', () => {
  it('is what the user is to read, or the name of what runs', () => {
    expect(describeContent(throttled.content)).toBe('Job 7 is complete.');
    expect(describeContent(paused.content)).toBe('Handler price-dropped');
    expect(describeContent({ kind: 'activity', type: 'event', text: null })).toBe('(event without text)');
  });
});

describe('describeOwed', () => {
  it('is the whole text where that is known', () => {
    const text = 'Long. '.repeat(100);
    expect(describeOwed({ ...throttled, activity: { type: 'message', text } })).toBe(text.trim());
    expect(describeOwed({ ...throttled, activity: { type: 'event' } })).toBe('Job 7 is complete.');
    expect(describeOwed(paused)).toBe('Handler price-dropped');
  });
});

describe('isLanePaused', () => {
  it('tells the same conversation of another channel apart', () => {
    const lane = { channelId: 'msteams', conversationId: 'a' };
    const all = { all: false, channels: [], lanes: [lane] };
    expect(isLanePaused(all, lane)).toBe(true);
    expect(isLanePaused(all, { ...lane, channelId: 'directline' })).toBe(false);
  });
});
