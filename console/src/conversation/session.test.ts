import { afterEach, describe, expect, it, vi } from 'vitest';

import { loadSession, newUser, saveSession } from './session';

const session = { conversationId: 'c', token: 't', user: { id: 'dl_you_1', name: 'You' } };

function storage(): Map<string, string> {
  const items = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value)
  });
  return items;
}

afterEach(() => vi.unstubAllGlobals());

describe('a stored session', () => {
  it('comes back for its own window only', () => {
    storage();
    saveSession('you', session);
    expect(loadSession('you')).toEqual(session);
    expect(loadSession('job-system')).toBeUndefined();
  });

  it('is as good as none when it can not be read', () => {
    const items = storage();
    saveSession('you', session);
    const [key] = items.keys();
    for (const damaged of ['', 'null', '[]', '{"conversationId":"c"', '{"conversationId":"c","token":1,"user":{}}']) {
      items.set(key!, damaged);
      expect(loadSession('you'), damaged).toBeUndefined();
    }
  });

  it('is done without where storage is switched off', () => {
    vi.stubGlobal('localStorage', undefined);
    saveSession('you', session);
    expect(loadSession('you')).toBeUndefined();
  });
});

describe('newUser', () => {
  it('is a different user each time, with the prefix that Direct Line asks for', () => {
    const [one, other] = [newUser('you', 'You'), newUser('you', 'You')];
    expect(one.id).toMatch(/^dl_you_[0-9a-f]{16}$/);
    expect(one.id).not.toBe(other.id);
  });
});
