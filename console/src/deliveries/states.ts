import type { Attempt, Delivery, Failure } from './delivery';
import { formatSpan } from './time';

export type Tone = 'going' | 'doubt' | 'good' | 'bad' | 'quiet';

interface StateWords {
  readonly text: string;
  readonly tone: Tone;
  /** What it means, as a sentence. */
  readonly meaning: string;
}

const words: Readonly<Record<string, StateWords>> = {
  available: { text: 'Waiting', tone: 'going', meaning: 'It is sent as soon as its conversation allows.' },
  sending: { text: 'Being sent', tone: 'going', meaning: 'It is on its way to the channel.' },
  retryable: { text: 'Trying again', tone: 'doubt', meaning: 'An attempt failed, and another follows.' },
  scheduled: { text: 'Scheduled', tone: 'going', meaning: 'It is sent when it is due.' },
  held: { text: 'Held', tone: 'going', meaning: 'It is held back; others of its conversation go past it.' },
  delivered: { text: 'Delivered', tone: 'good', meaning: 'The channel took it.' },
  unknown: { text: 'Perhaps delivered', tone: 'doubt', meaning: 'It was sent, and nobody knows whether it arrived.' },
  dead: { text: 'Given up', tone: 'bad', meaning: 'It was not delivered, and is not tried again.' },
  expired: { text: 'Expired', tone: 'bad', meaning: 'It was not sent in time.' },
  refused: { text: 'Refused', tone: 'bad', meaning: 'It may not be sent to this user.' },
  cancelled: { text: 'Cancelled', tone: 'quiet', meaning: 'It was taken back before it was sent.' },
  merged: { text: 'Merged', tone: 'quiet', meaning: 'What it says is part of another delivery.' }
};

/** What to call a state. One of a newer server is shown as it calls it. */
export function describeState(state: string): StateWords {
  return words[state] ?? { text: state, tone: 'quiet', meaning: '' };
}

/** States that are counted together. */
export interface Group {
  readonly id: string;
  readonly title: string;
  readonly tone: Tone;
  readonly states: readonly string[];
  /** Stands under the number when there is nothing better to say. */
  readonly note: string;
}

/** Every state is in one of them. */
export const groups: readonly Group[] = [
  {
    id: 'open',
    title: 'On the way',
    tone: 'going',
    states: ['available', 'sending', 'retryable', 'scheduled', 'held'],
    note: 'nothing waits'
  },
  { id: 'delivered', title: 'Delivered', tone: 'good', states: ['delivered'], note: 'the channel took them' },
  { id: 'unknown', title: 'Perhaps delivered', tone: 'doubt', states: ['unknown'], note: 'sent, without an answer' },
  { id: 'failed', title: 'Not delivered', tone: 'bad', states: ['dead', 'expired', 'refused'], note: 'given up or too late' },
  { id: 'withdrawn', title: 'Withdrawn', tone: 'quiet', states: ['cancelled', 'merged'], note: 'cancelled or merged' }
];

/** Whether it has ended, and so never changes again. */
export function isFinal({ endedAt }: Pick<Delivery, 'endedAt'>): boolean {
  return endedAt !== null;
}

export function canCancel({ state }: Delivery): boolean {
  return ['scheduled', 'held', 'available', 'retryable'].includes(state);
}

export function canRetry({ state }: Delivery): boolean {
  return state === 'dead' || state === 'unknown';
}

const waits: Readonly<Record<string, string>> = {
  backoff: 'before another attempt',
  retry_after: 'as the channel asked',
  pacing: 'pace of the conversation',
  budget: 'pace of the tenant',
  breaker: 'the channel is failing',
  behind: 'another one comes first',
  paused: 'paused by an operator',
  scheduled: 'not due yet',
  held: 'held back'
};

/** Why a delivery waits; it stands behind “waited:” too. */
export function describeWait(reason: string): string {
  return waits[reason] ?? inWords(reason);
}

const outcomes: Readonly<Record<string, { text: string; tone: Tone }>> = {
  delivered: { text: 'The channel took it', tone: 'good' },
  sending: { text: 'Being sent', tone: 'going' },
  not_sent: { text: 'It could not be sent', tone: 'doubt' },
  throttled: { text: 'The channel asked for less', tone: 'doubt' },
  unauthorized: { text: 'The channel did not accept the bot’s token', tone: 'doubt' },
  closed: { text: 'The channel closed the conversation to the bot', tone: 'bad' },
  rejected: { text: 'The channel rejected it', tone: 'bad' },
  unknown: { text: 'Sent, and nobody knows whether it arrived', tone: 'doubt' },
  lost: { text: 'The node that sent it was lost meanwhile', tone: 'doubt' }
};

/** What came of an attempt. */
export function describeOutcome({ outcome }: Pick<Attempt, 'outcome'>): { text: string; tone: Tone } {
  return outcomes[outcome] ?? { text: inWords(outcome), tone: 'quiet' };
}

const policies: Readonly<Record<string, string>> = {
  at_least_once: 'send again, perhaps twice',
  at_most_once: 'never send twice',
  reconcile: 'send again, the channel drops repeats'
};

/** What is done when nobody knows whether it arrived. */
export function describePolicy(policy: string): string {
  return policies[policy] ?? inWords(policy);
}

const reasons: Readonly<Record<string, string>> = {
  rejected: 'the channel does not accept it',
  not_found: 'what it refers to is gone',
  unsupported: 'the channel can not do this',
  too_large: 'too large for the channel',
  not_registered: 'the app id is no bot',
  wrong_host: 'the conversation is on another host',
  host_refused: 'its serviceUrl is not talked to',
  closed: 'the conversation is closed to the bot',
  unreadable: 'it can not be read',
  no_handler: 'the bot has no such handler',
  handler_failed: 'its handler failed each time',
  poison: 'sending it stopped the server each time',
  lane_closed: 'the conversation was closed',
  no_consent: 'nobody there agreed to be written to',
  opted_out: 'the conversation opted out',
  quiet_hours: 'quiet hours',
  busy: 'the user was busy',
  operator: 'held back by an operator'
};

/** Why it is dead, refused or held. */
export function describeReason(reason: string): string {
  return reasons[reason] ?? inWords(reason);
}

/** The channel's answer in a few words: `429 TooManyRequests`. */
export function describeFailure({ status, code, message }: Failure): string {
  const short = [status, code].filter(part => part !== null && part !== undefined && part !== '').join(' ');
  return short || message || 'no answer';
}

/** What there is to say about it beyond its state, in a few words; empty when there is nothing. */
export function describeCourse(delivery: Delivery, formatTime: (iso: string) => string): string {
  const { state, reason, wait, lastFailure, starts } = delivery;
  if (!isFinal(delivery)) {
    if (delivery.dueAt !== null && state === 'scheduled') return `due ${formatTime(delivery.dueAt)}`;
    if (wait !== null) {
      const why = wait.reason === 'held' && reason !== null ? describeReason(reason) : describeWait(wait.reason);
      return wait.until === null ? why : `${why}, until ${formatTime(wait.until)}`;
    }
    if (reason !== null) return describeReason(reason);
    return lastFailure === null ? '' : describeFailure(lastFailure);
  }
  switch (state) {
    case 'delivered': {
      const took = formatSpan(delivery.createdAt, delivery.endedAt);
      if (delivery.repeatPossible) return `in ${took}, perhaps twice`;
      return starts > 1 ? `in ${took}, at attempt ${starts}` : `in ${took}`;
    }
    case 'merged':
      return delivery.mergedInto === null ? '' : `into delivery ${delivery.mergedInto}`;
    default: {
      const failure = lastFailure === null ? undefined : describeFailure(lastFailure);
      return [reason === null ? undefined : describeReason(reason), failure].filter(Boolean).join(': ');
    }
  }
}

function inWords(word: string): string {
  return word.replaceAll('_', ' ');
}
