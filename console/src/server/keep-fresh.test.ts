import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Changes } from './changes';
import { keepFresh } from './keep-fresh';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function keeping(ask: (signal: AbortSignal) => Promise<number>) {
  const told: (number | string)[] = [];
  const changes = new Changes();
  const ended = new AbortController();
  const hearer = { told: (answer: number) => void told.push(answer), failed: (error: unknown) => void told.push(String(error)) };
  return { told, changes, ended, done: keepFresh(ask, hearer, changes, 500, ended.signal) };
}

describe('keepFresh', () => {
  it('asks again after a change, but not at once, and without one every few seconds', async () => {
    let count = 0;
    const { told, changes, ended, done } = keeping(() => Promise.resolve((count += 1)));
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual([1]);
    changes.tell();
    changes.tell();
    await vi.advanceTimersByTimeAsync(499);
    expect(told).toEqual([1]);
    await vi.advanceTimersByTimeAsync(1);
    expect(told).toEqual([1, 2]);
    await vi.advanceTimersByTimeAsync(5_400);
    expect(told).toEqual([1, 2]);
    await vi.advanceTimersByTimeAsync(100);
    expect(told).toEqual([1, 2, 3]);
    ended.abort();
    await done;
  });

  it('does not miss a change while it is asking, and never asks twice at a time', async () => {
    const answers: ((value: number) => void)[] = [];
    const { told, changes, ended, done } = keeping(() => new Promise(resolve => void answers.push(resolve)));
    changes.tell();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(answers.length).toBe(1);
    answers[0]?.(1);
    await vi.advanceTimersByTimeAsync(500);
    expect([told, answers.length]).toEqual([[1], 2]);
    ended.abort();
    answers[1]?.(2);
    await done;
    expect(told).toEqual([1]);
  });

  it('tells what went wrong, and goes on', async () => {
    let count = 0;
    const { told, ended, done } = keeping(() => {
      count += 1;
      return count === 1 ? Promise.reject(new Error('gone')) : Promise.resolve(count);
    });
    await vi.advanceTimersByTimeAsync(5_500);
    expect(told).toEqual(['Error: gone', 2]);
    ended.abort();
    await done;
  });
});
