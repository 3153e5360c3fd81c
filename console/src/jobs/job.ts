/** GET /api/v1/jobs, and the data of each `jobs` event of GET /api/v1/jobs/events. */
export interface JobPage {
  /** Newest first. */
  readonly jobs: readonly Job[];
  /** How many older jobs are not in `jobs`. */
  readonly older: number;
  readonly total: number;
}

export interface Job {
  readonly number: number;
  readonly conversationId: string;
  readonly channelId: string;
  readonly state: 'running' | 'complete';
  readonly startedAt: string;
  readonly completedAt: string | null;
  /** The state of the notification that the completed job owes its creator; null until it is owed. */
  readonly notice: string | null;
}

/** What to call the state of a notification, and how it should look. */
export function describeNotice(notice: string | null): { text: string; tone: 'quiet' | 'busy' | 'good' | 'bad' } {
  switch (notice) {
    case null:
      return { text: '–', tone: 'quiet' };
    case 'available':
    case 'scheduled':
      return { text: 'Waiting to be sent', tone: 'busy' };
    case 'sending':
      return { text: 'Being sent', tone: 'busy' };
    case 'retryable':
      return { text: 'Will be tried again', tone: 'busy' };
    case 'held':
      return { text: 'Held', tone: 'busy' };
    case 'delivered':
      return { text: 'Delivered', tone: 'good' };
    case 'unknown':
      return { text: 'Perhaps delivered', tone: 'bad' };
    case 'dead':
      return { text: 'Not delivered', tone: 'bad' };
    default:
      // A state of a newer server is shown as it calls it.
      return { text: notice, tone: 'quiet' };
  }
}

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dateAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** A time of day for today's times, otherwise with its date. */
export function formatTime(iso: string, now: Date): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  return date.toDateString() === now.toDateString() ? time.format(date) : dateAndTime.format(date);
}

/** The full time, for a tooltip. */
export function formatFullTime(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : dateAndTime.format(date);
}

/** Enough of an id to recognise it: the beginning and the end. */
export function shortId(id: string): string {
  return id.length <= 16 ? id : `${id.slice(0, 8)}…${id.slice(-5)}`;
}
