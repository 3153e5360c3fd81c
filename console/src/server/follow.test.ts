import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { ApiRefusal } from './api';
import { follow } from './follow';

const page = (total: number) => ({ jobs: [], older: 0, total });
const event = (total: number) => `event: jobs\ndata: ${JSON.stringify(page(total))}\n\n`;
const refusal = (status: number) =>
  new Response('{"error":{"message":"this API key was revoked"}}', { status });

let answers: (() => Response | Promise<Response>)[];
let asked: string[];

/** The real one: streams take turns of the event loop, which pretended time does not bring. */
const turn = setImmediate;

/** Lets time pass until this is what was told, however slow the machine is. */
async function becomes(told: unknown[], expected: unknown[]) {
  for (let turns = 0; turns < 2_000 && told.length < expected.length; turns += 1) {
    await vi.advanceTimersByTimeAsync(10);
    await new Promise(resolve => turn(resolve));
  }
  expect(told).toEqual(expected);
}

beforeEach(() => {
  answers = [];
  asked = [];
  vi.useFakeTimers();
  vi.stubGlobal('addEventListener', () => undefined);
  vi.stubGlobal('removeEventListener', () => undefined);
  vi.stubGlobal('document', { addEventListener: () => undefined, removeEventListener: () => undefined });
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    asked.push(`${url} ${new Headers(init.headers).get('Authorization')}`);
    const answer = answers.shift();
    if (answer !== undefined) return Promise.resolve(answer());
    // Nothing more is told: it stays open until the follower ends.
    return new Promise<Response>((_, reject) => init.signal?.addEventListener('abort', () => reject(init.signal?.reason)));
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function following(key?: string) {
  const told: (number | 'lost')[] = [];
  const end = new AbortController();
  const reasons: (number | undefined)[] = [];
  const follower = {
    told: (page: { total: number }) => void told.push(page.total),
    lost: (reason: ApiRefusal | undefined) => {
      told.push('lost');
      reasons.push(reason?.status);
    }
  };
  const source = { path: '/jobs', event: 'jobs' };
  return { told, reasons, end, done: follow(source, key, follower, end.signal).then(() => 'ended', (error: unknown) => error) };
}

describe('follow', () => {
  it('goes on after a break, with the key, until it is ended', async () => {
    answers = [() => new Response(event(1) + event(2)), () => Promise.reject(new TypeError('gone')), () => new Response(event(3))];
    const { told, end, done } = following('tid_1_2');
    await becomes(told, [1, 2, 'lost', 'lost', 3, 'lost']);
    end.abort();
    expect(await done).toBe('ended');
    expect(new Set(asked)).toEqual(new Set(['/api/v1/jobs/events Bearer tid_1_2']));
  });

  it('ends when the server wants another key', async () => {
    answers = [() => new Response(event(1)), () => refusal(401)];
    const { told, done } = following('tid_1_2');
    await becomes(told, [1, 'lost']);
    await vi.advanceTimersByTimeAsync(10_000);
    const error = (await done) as ApiRefusal;
    expect([error.status, error.message]).toEqual([401, 'this API key was revoked']);
  });

  it('asks again and again where no stream is free, until one is', async () => {
    answers = [
      () => refusal(503),
      () => Response.json(page(7)),
      () => refusal(503),
      () => Response.json(page(8)),
      () => new Response(event(9))
    ];
    const { told, end, done } = following();
    await becomes(told, [7]);
    await vi.advanceTimersByTimeAsync(5_000);
    await becomes(told, [7, 8]);
    await vi.advanceTimersByTimeAsync(5_000);
    await becomes(told, [7, 8, 9, 'lost']);
    end.abort();
    expect(await done).toBe('ended');
    expect(asked.slice(0, 3)).toEqual(['/api/v1/jobs/events null', '/api/v1/jobs null', '/api/v1/jobs/events null']);
  });

  it('says why the list can not be read, and goes on', async () => {
    answers = [
      () => refusal(500),
      () => refusal(500),
      () => refusal(503),
      () => Promise.reject(new TypeError('gone')),
      () => new Response(event(1))
    ];
    const { told, reasons, end, done } = following();
    await becomes(told, ['lost', 'lost', 1, 'lost']);
    expect(reasons).toEqual([500, undefined, undefined]);
    end.abort();
    expect(await done).toBe('ended');
  });

  it('opens another stream when one falls silent', async () => {
    let silent: ReadableStreamDefaultController<Uint8Array> | undefined;
    const fetched = fetch;
    vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
      init.signal?.addEventListener('abort', () => silent?.error(init.signal?.reason));
      return fetched(url, init);
    });
    answers = [
      () =>
        new Response(
          new ReadableStream({
            start(controller) {
              silent = controller;
              controller.enqueue(new TextEncoder().encode(event(1)));
            }
          })
        ),
      () => new Response(event(2))
    ];
    const { told, end, done } = following();
    await becomes(told, [1]);
    await vi.advanceTimersByTimeAsync(44_000);
    expect(told).toEqual([1]);
    await vi.advanceTimersByTimeAsync(2_000);
    await becomes(told, [1, 'lost', 2, 'lost']);
    end.abort();
    expect(await done).toBe('ended');
  });
});
