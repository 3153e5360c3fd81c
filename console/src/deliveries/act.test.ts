import { afterEach, describe, expect, it, vi } from 'vitest';

import { ApiRefusal } from '../server/api';
import { describeProblem, isClosed, operations } from './act';

afterEach(() => vi.unstubAllGlobals());

function answering(body: unknown) {
  const fetched = vi.fn((_url: string, _init: RequestInit) => Promise.resolve(Response.json(body)));
  vi.stubGlobal('fetch', fetched);
  return () => fetched.mock.calls.map(([url, init]) => [init.method, url, init.body]);
}

describe('operations', () => {
  it('cancel and retry one delivery', async () => {
    const asked = answering({ id: 12 });
    await operations.cancel('tid_1_2', 7);
    expect(await operations.retry('tid_1_2', 7, false)).toBe(12);
    await operations.retry('tid_1_2', 7, true);
    expect(asked()).toEqual([
      ['POST', '/api/v1/deliveries/7/cancel', '{}'],
      ['POST', '/api/v1/deliveries/7/retry', '{}'],
      ['POST', '/api/v1/deliveries/7/retry', '{"reopen":true}']
    ]);
  });

  it('pause and resume with the same words', async () => {
    const asked = answering({});
    const lane = { scope: 'lane', channelId: 'msteams', conversationId: '19:a&b' } as const;
    await operations.pause(undefined, lane);
    await operations.resume(undefined, lane);
    await operations.resume(undefined, { scope: 'all' });
    expect(asked()).toEqual([
      ['POST', '/api/v1/pauses', '{"scope":"lane","channelId":"msteams","conversationId":"19:a&b"}'],
      ['DELETE', '/api/v1/pauses?scope=lane&channelId=msteams&conversationId=19%3Aa%26b', undefined],
      ['DELETE', '/api/v1/pauses?scope=all', undefined]
    ]);
  });
});

describe('isClosed', () => {
  it('tells a closed conversation from what else can be in the way', () => {
    expect(isClosed(new ApiRefusal(409, 'the conversation of delivery 7 is closed', 'ConversationClosed'))).toBe(true);
    expect(isClosed(new ApiRefusal(409, 'delivery 7 is delivered', 'WrongState'))).toBe(false);
    expect(isClosed(new TypeError('Failed to fetch'))).toBe(false);
  });
});

describe('describeProblem', () => {
  it('says what the server says, or that it says nothing', () => {
    expect(describeProblem(new ApiRefusal(409, 'delivery 7 was delivered'))).toBe('Delivery 7 was delivered.');
    expect(describeProblem(new TypeError('Failed to fetch'))).toMatch(/does not answer/);
  });
});
