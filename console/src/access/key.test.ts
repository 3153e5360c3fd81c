import { afterEach, describe, expect, it, vi } from 'vitest';

import { forgetKey, loadKey, saveKey } from './key';

afterEach(() => vi.unstubAllGlobals());

describe('the key of this visit', () => {
  it('is kept for the tab, and nowhere else, until it is forgotten', () => {
    const items = new Map<string, string>();
    const elsewhere = vi.fn();
    vi.stubGlobal('sessionStorage', {
      getItem: (key: string) => items.get(key) ?? null,
      setItem: (key: string, value: string) => void items.set(key, value),
      removeItem: (key: string) => void items.delete(key)
    });
    vi.stubGlobal('localStorage', { getItem: elsewhere, setItem: elsewhere });
    expect(loadKey()).toBeUndefined();
    saveKey('tid_1_2');
    expect(loadKey()).toBe('tid_1_2');
    forgetKey();
    expect(loadKey()).toBeUndefined();
    expect(items.size).toBe(0);
    expect(elsewhere).not.toHaveBeenCalled();
  });

  it('is done without where storage is switched off', () => {
    vi.stubGlobal('sessionStorage', undefined);
    saveKey('tid_1_2');
    forgetKey();
    expect(loadKey()).toBeUndefined();
  });
});
