/** GET /api/v1/deliveries, and the data of each `deliveries` event of GET /api/v1/deliveries/events. */
export interface DeliveryPage {
  /** Newest first. Of a filter that little fits, there may be none although there are older ones. */
  readonly deliveries: readonly Delivery[];
  /** Where older ones begin: the value of `before` for the next page; null on the last. */
  readonly next: string | null;
}

/** What is owed, or was, to one conversation. Times are RFC 3339. */
export interface Delivery {
  readonly id: number;
  readonly channelId: string;
  readonly conversationId: string;
  readonly tenant: string;
  readonly class: string;
  /** One of the states of `states.ts`, or one that a newer server has. */
  readonly state: string;
  /** Why it is dead, refused or held, in a word. */
  readonly reason: string | null;
  /** What is done when nobody knows whether it arrived. */
  readonly policy: string;
  readonly wait: { readonly reason: string; readonly until: string | null } | null;
  readonly dueAt: string | null;
  readonly expiresAt: string | null;
  /** How often sending began. */
  readonly starts: number;
  /** Whether the user may have got it more than once. */
  readonly repeatPossible: boolean;
  readonly lastFailure: Failure | null;
  /** The id that the channel gave the delivered activity. */
  readonly activityId: string | null;
  readonly content: Content;
  readonly parentId: number | null;
  readonly retryOf: number | null;
  readonly mergedInto: number | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly endedAt: string | null;
}

export interface Failure {
  readonly status: number | null;
  readonly code: string | null;
  readonly message: string | null;
}

export type Content =
  | { readonly kind: 'activity'; readonly type: string; readonly text: string | null }
  | { readonly kind: 'handler'; readonly name: string };

/** GET /api/v1/deliveries/{id}. */
export interface DeliveryDetail extends Delivery {
  readonly activity?: unknown;
  readonly payload?: unknown;
  /** Ascending; the last one of a delivery that is being sent, or was delivered, says so. */
  readonly attempts: readonly Attempt[];
  readonly waits: readonly Wait[];
}

export interface Attempt extends Failure {
  readonly start: number;
  readonly node: number | string | null;
  readonly beganAt: string;
  readonly endedAt: string | null;
  readonly outcome: string;
  readonly retryAfterMs: number | null;
}

export interface Wait {
  readonly since: string;
  /** Null while it lasts. */
  readonly until: string | null;
  readonly reason: string;
}

/** GET /api/v1/deliveries/summary. */
export interface Summary {
  /**
   * How many there are in each state, up to `MOST_COUNTED`. Those that were delivered are too many to count; any other
   * state that is left out has none.
   */
  readonly states: Readonly<Record<string, number>>;
  /** When the oldest one that could be sent was accepted. */
  readonly oldest: string | null;
  readonly paused: Paused;
}

/** No state is counted further: this number means that many or more. */
export const MOST_COUNTED = 100_000;

export interface Paused {
  readonly all: boolean;
  readonly channels: readonly string[];
  readonly lanes: readonly Lane[];
}

/** A conversation, as the engine keeps its deliveries in order. */
export interface Lane {
  readonly channelId: string;
  readonly conversationId: string;
}

/** What is to be paused or resumed: POST and DELETE /api/v1/pauses. */
export type PauseScope =
  | { readonly scope: 'all' }
  | { readonly scope: 'channel'; readonly channelId: string }
  | ({ readonly scope: 'lane' } & Lane);

/** Whether this conversation itself is paused, whatever else is. */
export function isLanePaused({ lanes }: Paused, { channelId, conversationId }: Lane): boolean {
  return lanes.some(lane => lane.channelId === channelId && lane.conversationId === conversationId);
}

/** What the user is to read: all of it where that is known. */
export function describeOwed(delivery: Delivery | DeliveryDetail): string {
  const activity = 'activity' in delivery ? (delivery.activity as { text?: unknown } | null | undefined) : undefined;
  const text = typeof activity?.text === 'string' ? activity.text.trim() : '';
  return text || describeContent(delivery.content);
}

/** What the user is to read, in a line: long texts are cut short. */
export function describeContent(content: Content): string {
  if (content.kind === 'handler') return `Handler ${content.name}`;
  return content.text?.trim() || `(${content.type || 'activity'} without text)`;
}
