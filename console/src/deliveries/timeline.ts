import type { Attempt, DeliveryDetail, Wait } from './delivery';
import { isFinal } from './states';
import { between } from './time';

/** Something that happened to a delivery, at a moment. */
export type Entry =
  | { readonly kind: 'accepted'; readonly at: string }
  | { readonly kind: 'wait'; readonly at: string; readonly reason: string; readonly length: Length }
  | { readonly kind: 'attempt'; readonly at: string; readonly attempt: Attempt; readonly length: Length }
  | { readonly kind: 'end'; readonly at: string; readonly state: string; readonly reason: string | null };

/** How long something took, how long it has taken so far and until when it will, or that nobody knows. */
export type Length =
  | { readonly is: 'over'; readonly milliseconds: number }
  | { readonly is: 'going on'; readonly until: string | undefined }
  | { readonly is: 'unknown' };

const rank = { accepted: 0, wait: 1, attempt: 2, end: 3 } as const;

/** The life of a delivery in the order in which it went. */
export function timeline(delivery: DeliveryDetail, now: Date): Entry[] {
  const final = isFinal(delivery);
  const length = (from: string, to: string | null): Length => {
    if (to !== null && (final || Date.parse(to) <= now.getTime())) {
      return { is: 'over', milliseconds: between(from, to) };
    }
    return final ? { is: 'unknown' } : { is: 'going on', until: to ?? undefined };
  };
  const entries: Entry[] = [
    { kind: 'accepted', at: delivery.createdAt },
    ...[...delivery.waits, ...unrecorded(delivery, now)].map(
      ({ since, until, reason }): Entry => ({ kind: 'wait', at: since, reason, length: length(since, until) })
    ),
    ...delivery.attempts.map(
      (attempt): Entry => ({
        kind: 'attempt',
        at: attempt.beganAt,
        attempt,
        length: length(attempt.beganAt, attempt.endedAt)
      })
    )
  ];
  if (delivery.endedAt !== null) {
    entries.push({ kind: 'end', at: delivery.endedAt, state: delivery.state, reason: delivery.reason });
  }
  return entries.sort((one, other) => Date.parse(one.at) - Date.parse(other.at) || rank[one.kind] - rank[other.kind]);
}

/** What it waits for now, where that comes on record only when it is over. */
function unrecorded({ wait, waits, updatedAt }: DeliveryDetail, now: Date): Wait[] {
  if (wait === null) return [];
  const recorded = waits.some(
    ({ until, reason }) =>
      until === null || Date.parse(until) > now.getTime() || (until === wait.until && reason === wait.reason)
  );
  return recorded ? [] : [{ since: updatedAt, until: wait.until, reason: wait.reason }];
}

/** Of a long life, the beginning and the end; `left` counts what is between them. */
export function shorten<T>(entries: readonly T[], first: number, last: number): { head: T[]; left: number; tail: T[] } {
  // Hiding one or two saves nothing.
  if (entries.length <= first + last + 2) return { head: [...entries], left: 0, tail: [] };
  return { head: entries.slice(0, first), left: entries.length - first - last, tail: entries.slice(-last) };
}
