import type { DirectLine } from 'botframework-directlinejs';

import {
  directLineUrl,
  refreshToken,
  Refused,
  reopenConversation,
  startConversation,
  type OpenConversation
} from './direct-line-api';
import { delayBefore, patience } from './retry';
import { loadSession, newUser, saveSession, type Session } from './session';
import { StreamSocket, type Stream } from './stream-socket';

/**
 * - `connecting`: opening the conversation for the first time;
 * - `live`: the stream is open;
 * - `reconnecting`: the stream was lost, the first attempt to reopen it is under way;
 * - `offline`: the server can not be reached; it is tried again and again;
 * - `refused`: the server answers, and will not start a conversation;
 * - `paused`: another tab of this browser has the conversation.
 */
export type ConnectionState = 'connecting' | 'live' | 'reconnecting' | 'offline' | 'refused' | 'paused';

/** What a window draws. A new object for every change. */
export interface ConnectionSnapshot {
  readonly state: ConnectionState;
  readonly session: Session | undefined;
  readonly directLine: DirectLine | undefined;
  /** Counts the DirectLine objects: each needs a Web Chat of its own. */
  readonly opened: number;
  /** Something the person should know, once: why this is not the conversation of last time. */
  readonly notice: Notice | undefined;
}

export interface Notice {
  readonly text: string;
  /** The conversation that was left, when it can be taken up again. */
  readonly previous?: Session;
}

/**
 * The conversation of one window: opens or reopens it, keeps its token fresh, and follows the server through restarts.
 *
 * The transcript is always read from its beginning when the page loads; the server keeps it.
 */
export class Connection {
  private snapshot: ConnectionSnapshot = {
    state: 'connecting',
    session: undefined,
    directLine: undefined,
    opened: 0,
    notice: undefined
  };
  private readonly listeners = new Set<() => void>();
  /** Ends whatever belongs to the present conversation: its requests, its timers, its socket. */
  private current = new AbortController();

  constructor(
    private readonly window: string,
    private readonly userName: string
  ) {
    this.current.abort();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly getSnapshot = (): ConnectionSnapshot => this.snapshot;

  /** Takes up the conversation of last time, or begins one. */
  start(): void {
    const stored = loadSession(this.window);
    if (stored === undefined) this.begin(undefined);
    else this.resume(stored);
  }

  /** Leaves this conversation (the server keeps it) and begins another. */
  startNew(): void {
    const previous = this.snapshot.session;
    this.begin(previous && { text: 'This is a new conversation.', previous });
  }

  /** Takes up a conversation that was left. */
  goBack(previous: Session): void {
    this.resume(previous);
  }

  /** Lets go of the conversation, because another tab has taken it. */
  pause(): void {
    this.current.abort();
    this.change({ state: 'paused', directLine: undefined, notice: undefined });
  }

  dismissNotice(): void {
    this.change({ notice: undefined });
  }

  private begin(notice: Notice | undefined): void {
    const signal = this.renew({ state: 'connecting', session: undefined, directLine: undefined, notice });
    const user = newUser(this.window, this.userName);
    void this.untilReached(() => startConversation(user, signal), signal).then(
      opened => this.connect({ conversationId: opened.conversationId, token: opened.token, user }, opened, signal),
      error => this.failed(error, signal)
    );
  }

  private resume(session: Session): void {
    const signal = this.renew({ state: 'connecting', session, directLine: undefined, notice: undefined });
    void this.untilReached(() => reopenConversation(session, undefined, signal), signal).then(
      opened => this.connect({ ...session, token: opened.token }, opened, signal),
      error => this.failed(error, signal)
    );
  }

  private async connect(session: Session, opened: OpenConversation, signal: AbortSignal): Promise<void> {
    saveSession(this.window, session);
    this.change({ session });
    const { ConnectionStatus, DirectLine } = await import('botframework-directlinejs');
    if (signal.aborted) return;

    const stream = this.streamOf(session, signal);
    const directLine: DirectLine = new DirectLine({
      domain: directLineUrl,
      conversationId: session.conversationId,
      token: opened.token,
      streamUrl: opened.streamUrl,
      webSocket: true,
      // DirectLineJS only ever constructs it; the class that it is given stands in for the browser's own.
      WebSocket: class extends StreamSocket {
        constructor(url: string) {
          super(url, stream);
        }
      } as unknown as typeof WebSocket
    });
    // A token that is refused while the conversation is open (the machine slept longer than a token lives) ends this
    // connection for Web Chat; the conversation itself is reopened.
    const status = directLine.connectionStatus$.subscribe(value => {
      if (value === ConnectionStatus.ExpiredToken && !signal.aborted) this.resume(this.snapshot.session ?? session);
    });
    signal.addEventListener('abort', () => status.unsubscribe());
    void this.keepFresh(opened, signal);
    this.change({ directLine, opened: this.snapshot.opened + 1 });
  }

  private streamOf(session: Session, signal: AbortSignal): Stream {
    let watermark: string | undefined;
    return {
      opened: () => this.changeIn(signal, { state: 'live' }),
      lost: () => this.changeIn(signal, { state: 'reconnecting' }),
      received: value => {
        watermark = value;
      },
      reopen: async () => {
        const token = this.snapshot.session?.token ?? session.token;
        const opened = await this.untilReached(() => reopenConversation({ ...session, token }, watermark, signal), signal);
        this.accept(opened, signal);
        return opened.streamUrl;
      },
      ended: error => this.failed(error, signal)
    };
  }

  /** Asks for a new token at half the life of each. A failure is left to the next call that needs the token. */
  private async keepFresh(opened: OpenConversation, signal: AbortSignal): Promise<void> {
    let token = opened;
    try {
      for (;;) {
        const lifetime = (token.expires_in ?? 1_800) * 1_000;
        // The timers of browsers hold 31 bits.
        await sleep(Math.min(lifetime / 2, 2 ** 31 - 1), signal);
        token = await refreshToken(this.snapshot.session?.token ?? token.token, signal);
        this.accept(token, signal);
      }
    } catch {
      // Ended, or refused: DirectLineJS meets the refusal at its next call, and the conversation is reopened.
    }
  }

  private accept(opened: OpenConversation, signal: AbortSignal): void {
    const { session, directLine } = this.snapshot;
    if (signal.aborted || session === undefined) return;
    const renewed = { ...session, token: opened.token };
    saveSession(this.window, renewed);
    this.change({ session: renewed });
    directLine?.reconnect({ ...opened, streamUrl: opened.streamUrl ?? '' });
  }

  /** Repeats an attempt for as long as the server can not be reached or is not well. Throws what it refuses. */
  private async untilReached<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let count = 0; ; count += 1) {
      await patience(delayBefore(count), signal);
      try {
        return await attempt();
      } catch (error) {
        if (signal.aborted) throw error;
        if (error instanceof Refused && error.status < 500 && error.status !== 429) throw error;
        this.changeIn(signal, { state: 'offline' });
      }
    }
  }

  /** The server refused the conversation itself. */
  private failed(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    const refused = error instanceof Refused ? error : undefined;
    if (this.snapshot.session === undefined) {
      this.change({ state: 'refused', notice: { text: refused?.message ?? 'What it answered could not be read.' } });
      return;
    }
    this.begin({
      text:
        refused?.status === 404
          ? 'The server no longer has your earlier conversation, so this is a new one.'
          : 'Your earlier conversation could not be reopened, so this is a new one.'
    });
  }

  private renew(change: Partial<ConnectionSnapshot>): AbortSignal {
    this.current.abort();
    this.current = new AbortController();
    this.change(change);
    return this.current.signal;
  }

  private changeIn(signal: AbortSignal, change: Partial<ConnectionSnapshot>): void {
    if (!signal.aborted) this.change(change);
  }

  private change(change: Partial<ConnectionSnapshot>): void {
    this.snapshot = { ...this.snapshot, ...change };
    for (const listener of this.listeners) listener();
  }
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
