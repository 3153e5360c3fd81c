import { describe, expect, it } from 'vitest';

import { describeNotice, formatTime, shortId } from './job';

describe('formatTime', () => {
  const now = new Date(2026, 10, 22, 18, 0, 0);

  it('leaves the date out of a time of today', () => {
    expect(formatTime(new Date(2026, 10, 22, 9, 5, 7).toISOString(), now)).not.toMatch(/2026/);
  });

  it('keeps the date of any other day', () => {
    expect(formatTime(new Date(2026, 10, 21, 23, 59, 59).toISOString(), now)).toMatch(/2026/);
  });

  it('shows what it can not read', () => {
    expect(formatTime('soon', now)).toBe('soon');
  });
});

describe('describeNotice', () => {
  it('has a word for each state the server tells', () => {
    for (const state of ['available', 'sending', 'retryable', 'delivered', 'dead', 'unknown']) {
      expect(describeNotice(state).text).not.toBe(state);
    }
  });

  it('shows a state it does not know as the server calls it', () => {
    expect(describeNotice('postponed')).toEqual({ text: 'postponed', tone: 'quiet' });
  });
});

describe('shortId', () => {
  it('keeps both ends of a long id, and all of a short one', () => {
    expect(shortId('0123456789abcdef')).toBe('0123456789abcdef');
    expect(shortId('0123456789abcdefg')).toBe('01234567…cdefg');
  });
});
