/** One window's conversation, as it is kept between visits. */
export interface Session {
  readonly conversationId: string;
  readonly token: string;
  readonly user: User;
}

/** The person, or the system, that a window speaks for. */
export interface User {
  readonly id: string;
  readonly name: string;
}

const key = (window: string) => `tidings.console.session.${window}`;

/** The conversation this window had when it was last open, or undefined when there is none that can be read. */
export function loadSession(window: string): Session | undefined {
  try {
    const text = localStorage.getItem(key(window));
    const value: unknown = text === null ? undefined : JSON.parse(text);
    return isSession(value) ? value : undefined;
  } catch {
    // Storage may be switched off, or hold what another version wrote: then the window simply starts anew.
    return undefined;
  }
}

/** Remembers the conversation; without storage it lives as long as the page. */
export function saveSession(window: string, session: Session): void {
  try {
    localStorage.setItem(key(window), JSON.stringify(session));
  } catch {
    // Full or switched off: the window works, it only cannot be reopened later.
  }
}

/** A user for a new conversation. Direct Line wants the ids in its tokens to begin with `dl_`. */
export function newUser(window: string, name: string): User {
  const random = crypto.getRandomValues(new Uint32Array(2));
  const suffix = Array.from(random, part => part.toString(16).padStart(8, '0')).join('');
  return { id: `dl_${window}_${suffix}`, name };
}

function isSession(value: unknown): value is Session {
  const session = value as Session | undefined | null;
  return (
    typeof session?.conversationId === 'string' &&
    typeof session.token === 'string' &&
    typeof session.user?.id === 'string' &&
    typeof session.user.name === 'string'
  );
}
