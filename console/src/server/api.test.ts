import { afterEach, describe, expect, it, vi } from 'vitest';

import { ApiRefusal, call, sentence } from './api';

const signal = new AbortController().signal;

afterEach(() => vi.unstubAllGlobals());

function answering(status: number, body: string) {
  const fetched = vi.fn((_url: string, _init: RequestInit) => Promise.resolve(new Response(body, { status })));
  vi.stubGlobal('fetch', fetched);
  return fetched;
}

describe('call', () => {
  it('sends the key as a bearer and a body as JSON', async () => {
    const fetched = answering(200, '{}');
    await call('/jobs', { key: 'tid_1_2', signal });
    await call('/jobs/1/complete', { signal, body: { message: 'Done.' } });
    const [get, post] = fetched.mock.calls.map(([url, init]) => [url, init.method, init.headers, init.body]);
    expect(get).toEqual(['/api/v1/jobs', 'GET', { Accept: 'application/json', Authorization: 'Bearer tid_1_2' }, undefined]);
    expect(post).toEqual([
      '/api/v1/jobs/1/complete',
      'POST',
      { Accept: 'application/json', 'Content-Type': 'application/json' },
      '{"message":"Done."}'
    ]);
  });

  it('says what the server says when it refuses', async () => {
    answering(401, '{"error":{"code":"InvalidKey","message":"this API key was revoked: ask for another"}}');
    const refusal = (await call('/jobs', { signal }).catch((error: unknown) => error)) as ApiRefusal;
    expect([refusal.status, refusal.message, refusal.code, refusal.wantsKey]).toEqual([
      401,
      'this API key was revoked: ask for another',
      'InvalidKey',
      true
    ]);
  });

  it('has words for an answer that has none', async () => {
    answering(502, '<html>');
    const refusal = (await call('/jobs', { signal }).catch((error: unknown) => error)) as ApiRefusal;
    expect([refusal.message, refusal.wantsKey]).toEqual(['the server answered 502', false]);
  });
});

describe('sentence', () => {
  it('begins with a capital and ends', () => {
    expect(sentence('this API key was revoked: ask for another')).toBe('This API key was revoked: ask for another.');
    expect(sentence('Is it whole?')).toBe('Is it whole?');
  });
});
