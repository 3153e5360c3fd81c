/** Calls of the server's own API, `/api/v1`. */

/** The server answered, and the answer was no. `status` is HTTP's, `code` the word for programs, if there was one. */
export class ApiRefusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code?: string
  ) {
    super(message);
    this.name = 'ApiRefusal';
  }

  /** Whether another key would help. */
  get wantsKey(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

export interface Call {
  readonly key?: string | undefined;
  readonly signal: AbortSignal;
  readonly accept?: string;
  /** Makes it a POST. */
  readonly body?: unknown;
  readonly method?: 'DELETE';
}

/** The answer, if it was a yes. */
export async function call(path: string, { key, signal, accept = 'application/json', body, method }: Call): Promise<Response> {
  const response = await fetch(`/api/v1${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      Accept: accept,
      ...(key === undefined ? {} : { Authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' })
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    cache: 'no-store',
    signal
  });
  if (response.ok) return response;
  const answer: unknown = await response.json().catch(() => undefined);
  const { message, code } = (answer as { error?: { message?: unknown; code?: unknown } } | undefined)?.error ?? {};
  throw new ApiRefusal(
    response.status,
    typeof message === 'string' ? message : `the server answered ${response.status}`,
    typeof code === 'string' ? code : undefined
  );
}

/** A sentence of its own, from a message that stands after a colon elsewhere. */
export function sentence(message: string): string {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
