import { ApiRefusal, call, sentence } from '../server/api';
import type { Delivery, PauseScope } from './delivery';

const ANSWER_MS = 20_000;

/** What an operator may do. Each throws an `ApiRefusal` where the server says no. */
export const operations = {
  /** POST /api/v1/deliveries/{id}/cancel. */
  cancel: async (key: string | undefined, id: number): Promise<Delivery> =>
    (await post(key, `/deliveries/${id}/cancel`, {})).json() as Promise<Delivery>,

  /**
   * POST /api/v1/deliveries/{id}/retry. Resolves to the id of the delivery that is owed in its place. With `reopen` the
   * conversation is opened first, if the channel had closed it.
   */
  retry: async (key: string | undefined, id: number, reopen: boolean): Promise<number> =>
    ((await (await post(key, `/deliveries/${id}/retry`, reopen ? { reopen } : {})).json()) as { id: number }).id,

  /** POST /api/v1/pauses. */
  pause: async (key: string | undefined, scope: PauseScope): Promise<void> => {
    await post(key, '/pauses', scope);
  },

  /** DELETE /api/v1/pauses. */
  resume: async (key: string | undefined, scope: PauseScope): Promise<void> => {
    await call(`/pauses?${new URLSearchParams({ ...scope })}`, { key, method: 'DELETE', signal: soon() });
  }
};

/** Whether it was refused because the channel takes nothing more in that conversation. */
export function isClosed(error: unknown): boolean {
  return error instanceof ApiRefusal && error.code === 'ConversationClosed';
}

/** Why something was not done: a sentence for whoever asked for it. */
export function describeProblem(error: unknown): string {
  return error instanceof ApiRefusal
    ? sentence(error.message)
    : 'The server does not answer. Whether it was done, the list says.';
}

function post(key: string | undefined, path: string, body: unknown): Promise<Response> {
  return call(path, { key, body, signal: soon() });
}

function soon(): AbortSignal {
  return AbortSignal.timeout(ANSWER_MS);
}
