import { describe, expect, it } from 'vitest';

import { between, formatDuration, formatWhen, fromLocalInput, toLocalInput } from './time';

describe('formatDuration', () => {
  it('is as precise as it matters', () => {
    const durations: [number, string][] = [
      [0, '0 ms'],
      [-5, '0 ms'],
      [999.4, '999 ms'],
      [1_000, '1.0 s'],
      [9_949, '9.9 s'],
      [9_950, '10 s'],
      [59_400, '59 s'],
      [59_600, '1 min'],
      [125_000, '2 min 5 s'],
      [3_599_600, '1 h'],
      [11_040_000, '3 h 4 min'],
      [183_600_000, '2 d 3 h']
    ];
    for (const [milliseconds, text] of durations) expect(formatDuration(milliseconds), String(milliseconds)).toBe(text);
  });
});

describe('between', () => {
  it('is never less than none: the clocks of two machines differ', () => {
    expect(between('2026-11-27T09:00:01Z', '2026-11-27T09:00:00Z')).toBe(0);
    expect(between('soon', '2026-11-27T09:00:00Z')).toBe(0);
  });
});

describe('formatWhen', () => {
  const now = new Date(2026, 10, 27, 18, 0, 0);

  it('is a time for today, a day and a time for this year, and a date for any other', () => {
    expect(formatWhen(new Date(2026, 10, 27, 9, 5, 7).toISOString(), now)).toMatch(/07/);
    expect(formatWhen(new Date(2026, 10, 26, 9, 5, 7).toISOString(), now)).toMatch(/26.*05|05.*26/);
    expect(formatWhen(new Date(2025, 10, 26, 9, 5, 7).toISOString(), now)).toMatch(/2025/);
  });

  it('shows what it can not read', () => {
    expect(formatWhen('soon', now)).toBe('soon');
  });
});

describe('a moment in a form', () => {
  it('comes back as it was, to the minute', () => {
    const iso = '2026-11-27T09:05:00.000Z';
    expect(fromLocalInput(toLocalInput(iso))).toBe(iso);
  });

  it('is nothing while half of it is typed', () => {
    expect(fromLocalInput('')).toBeUndefined();
    expect(fromLocalInput('soon')).toBeUndefined();
    expect(toLocalInput('soon')).toBe('');
  });
});
