import { beforeEach, describe, expect, it, vi } from 'vitest';

import { StreamSocket, type Stream } from './stream-socket';

/** The browser's WebSocket, driven by the test. */
class FakeSocket {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 3;
  static made: FakeSocket[] = [];
  onopen?: (event: unknown) => void;
  onmessage?: (event: { data: unknown }) => void;
  onclose?: () => void;
  readyState = FakeSocket.OPEN;
  readonly sent: string[] = [];
  constructor(readonly url: string) {
    FakeSocket.made.push(this);
  }
  send(data: string) {
    this.sent.push(data);
  }
  close() {
    this.readyState = FakeSocket.CLOSED;
    this.onclose?.();
  }
}

function stream(reopen: Stream['reopen']) {
  return { reopen: vi.fn(reopen), opened: vi.fn(), lost: vi.fn(), ended: vi.fn(), received: vi.fn() };
}

beforeEach(() => {
  FakeSocket.made = [];
  vi.stubGlobal('WebSocket', FakeSocket);
});

describe('StreamSocket', () => {
  it('goes on with a new stream, and its owner never notices', async () => {
    const state = stream(() => Promise.resolve('ws://two'));
    const socket = new StreamSocket('ws://one', state);
    const seen: unknown[] = [];
    socket.onopen = () => seen.push('open');
    socket.onmessage = event => seen.push(event.data);
    socket.onclose = () => seen.push('close');
    socket.onerror = () => seen.push('error');

    const [one] = FakeSocket.made;
    one?.onopen?.({});
    one?.onmessage?.({ data: '{"activities":[],"watermark":"7"}' });
    one?.close();
    await vi.waitFor(() => expect(FakeSocket.made).toHaveLength(2));
    const two = FakeSocket.made[1];
    two?.onopen?.({});
    two?.onmessage?.({ data: '' });
    socket.send('');

    expect(two?.url).toBe('ws://two');
    expect(seen).toEqual(['open', '{"activities":[],"watermark":"7"}', '']);
    expect(state.received.mock.calls).toEqual([['7']]);
    expect([state.lost.mock.calls.length, state.opened.mock.calls.length]).toEqual([1, 2]);
    expect(two?.sent).toEqual(['']);
  });

  it('does not reopen what was closed on purpose', () => {
    const state = stream(() => Promise.reject(new Error('must not be asked')));
    const socket = new StreamSocket('ws://one', state);
    socket.close();
    expect(state.reopen).not.toHaveBeenCalled();
    expect(state.lost).not.toHaveBeenCalled();
    expect(socket.readyState).toBe(FakeSocket.CLOSED);
  });

  it('opens nothing when it is closed while the new stream is asked for', async () => {
    let answer: (url: string) => void = () => undefined;
    const state = stream(() => new Promise(resolve => (answer = resolve)));
    const socket = new StreamSocket('ws://one', state);
    FakeSocket.made[0]?.close();
    socket.close();
    answer('ws://two');
    await Promise.resolve();
    expect(FakeSocket.made).toHaveLength(1);
  });

  it('says so when the conversation is gone', async () => {
    const gone = new Error('gone');
    const state = stream(() => Promise.reject(gone));
    new StreamSocket('ws://one', state);
    FakeSocket.made[0]?.close();
    await vi.waitFor(() => expect(state.ended).toHaveBeenCalledWith(gone));
  });
});
