import type { User } from './session';

/** The calls of Direct Line 3.0 that open a conversation; DirectLineJS makes all the others. */
export const directLineUrl = new URL('/v3/directline', document.baseURI).href;

/** A conversation that is open: its token, and the address of its stream, good for one minute. */
export interface OpenConversation {
  readonly conversationId: string;
  readonly token: string;
  readonly streamUrl: string;
  /** Seconds. */
  readonly expires_in?: number;
}

/** The server answered, and the answer was no. `status` is HTTP's. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string
  ) {
    super(message);
    this.name = 'Refused';
  }
}

/** POST /tokens/generate, then POST /conversations: the token names the user, so the bot learns who it is. */
export async function startConversation(user: User, signal: AbortSignal): Promise<OpenConversation> {
  const generated = await call('POST', '/tokens/generate', { body: { user }, signal });
  return call('POST', '/conversations', { token: generated.token, body: { user, locale: 'en' }, signal });
}

/**
 * GET /conversations/{id}?watermark=: everything after the watermark, or everything when it is undefined.
 *
 * A window that was closed for longer than a token lives holds one that is refused. A server in local mode gives a new one
 * to whoever asks without; any other server refuses that too.
 */
export async function reopenConversation(
  session: { conversationId: string; token: string },
  watermark: string | undefined,
  signal: AbortSignal
): Promise<OpenConversation> {
  const path = `/conversations/${encodeURIComponent(session.conversationId)}?watermark=${encodeURIComponent(watermark ?? '')}`;
  try {
    return await call('GET', path, { token: session.token, signal });
  } catch (error) {
    if (!(error instanceof Refused) || (error.status !== 401 && error.status !== 403)) throw error;
    return call('GET', path, { signal });
  }
}

/** POST /tokens/refresh. */
export function refreshToken(token: string, signal: AbortSignal): Promise<OpenConversation> {
  return call('POST', '/tokens/refresh', { token, signal });
}

async function call(
  method: 'GET' | 'POST',
  path: string,
  { token, body, signal }: { token?: string; body?: unknown; signal: AbortSignal }
): Promise<OpenConversation> {
  const response = await fetch(directLineUrl + path, {
    method,
    headers: {
      Accept: 'application/json',
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' })
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    cache: 'no-store',
    signal: AbortSignal.any([signal, AbortSignal.timeout(20_000)])
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw new Refused(response.status, messageOf(answer) ?? `The server answered ${response.status}.`);
  return answer as OpenConversation;
}

function messageOf(answer: unknown): string | undefined {
  const message = (answer as { error?: { message?: unknown } } | undefined)?.error?.message;
  return typeof message === 'string' ? message : undefined;
}
