import { useState } from 'react';

import { formatFullTime } from '../jobs/job';
import { sentence } from '../server/api';
import type { Attempt, DeliveryDetail } from './delivery';
import { describeFailure, describeOutcome, describeReason, describeState, describeWait, isFinal, type Tone } from './states';
import { between, formatClock, formatDay, formatDuration } from './time';
import { shorten, timeline, type Entry, type Length } from './timeline';
import { useNow } from './use-now';

/** Of a longer life than this, the middle is shown when it is asked for. */
const HEAD = 12;
const TAIL = 24;

/** One delivery from when it was accepted to its end: every wait with its reason, every attempt with its answer. */
export function Timeline({ delivery }: { delivery: DeliveryDetail }) {
  const now = useNow(!isFinal(delivery));
  const [all, setAll] = useState(false);
  const entries = timeline(delivery, now);
  const { head, left, tail } = all ? { head: entries, left: 0, tail: [] } : shorten(entries, HEAD, TAIL);
  const draw = (entry: Entry, index: number) => (
    <Step key={`${entry.kind}-${entry.at}-${index}`} entry={entry} delivery={delivery} now={now} />
  );
  return (
    <ol className="timeline" aria-label={`The course of delivery ${delivery.id}`}>
      {head.map(draw)}
      {left > 0 && (
        <li className="step" data-tone="quiet">
          <button type="button" className="link" onClick={() => setAll(true)}>
            Show {left.toLocaleString()} more
          </button>
        </li>
      )}
      {tail.map(draw)}
    </ol>
  );
}

function Step({ entry, delivery, now }: { entry: Entry; delivery: DeliveryDetail; now: Date }) {
  const { title, tone, aside } = describe(entry, now);
  const after = between(delivery.createdAt, entry.at);
  return (
    <li className="step" data-kind={entry.kind} data-tone={tone} data-going={isGoing(entry) || undefined}>
      <span className="step-when">
        <time dateTime={entry.at} title={formatFullTime(entry.at)}>
          {formatClock(entry.at)}
        </time>
        {after > 0 && <span className="step-after">+{formatDuration(after)}</span>}
      </span>
      <div className="step-what">
        <p>
          <span className="step-title">{title}</span> {aside && <span className="step-aside">{aside}</span>}
        </p>
        {entry.kind === 'attempt' && <Answer attempt={entry.attempt} />}
        {entry.kind === 'end' && <End delivery={delivery} />}
      </div>
    </li>
  );
}

/** What the channel answered. */
function Answer({ attempt }: { attempt: Attempt }) {
  const { status, code, message, retryAfterMs } = attempt;
  const failure = status === null && !code && !message ? undefined : describeFailure(attempt);
  return (
    <>
      <p className="step-note">
        {describeOutcome(attempt).text}
        {retryAfterMs !== null && retryAfterMs !== undefined && `, for ${formatDuration(retryAfterMs)}`}
      </p>
      {failure !== undefined && (
        <p className="step-answer">
          <code>{failure}</code>
          {message && message !== failure && <span>{message}</span>}
        </p>
      )}
    </>
  );
}

function End({ delivery }: { delivery: DeliveryDetail }) {
  const notes = [
    delivery.reason === null ? undefined : sentence(describeReason(delivery.reason)),
    delivery.repeatPossible ? 'The user may have got it more than once.' : undefined,
    delivery.endedAt === null ? undefined : `${formatDuration(between(delivery.createdAt, delivery.endedAt))} after it was accepted.`
  ].filter(Boolean);
  return <p className="step-note">{notes.join(' ')}</p>;
}

function describe(entry: Entry, now: Date): { title: string; tone: Tone; aside: string } {
  switch (entry.kind) {
    case 'accepted':
      return { title: 'Accepted', tone: 'quiet', aside: formatDay(entry.at, now) };
    case 'wait':
      return {
        title: `${isGoing(entry) ? 'Waits' : 'Waited'}: ${describeWait(entry.reason)}`,
        tone: isGoing(entry) ? 'going' : 'quiet',
        aside: describeLength(entry.length, entry.at, now)
      };
    case 'attempt':
      return {
        title: `Attempt ${entry.attempt.start}`,
        tone: describeOutcome(entry.attempt).tone,
        aside: [describeLength(entry.length, entry.at, now), entry.attempt.node === null ? '' : `node ${entry.attempt.node}`]
          .filter(Boolean)
          .join(', ')
      };
    case 'end': {
      const { text, tone } = describeState(entry.state);
      return { title: text, tone, aside: '' };
    }
  }
}

function describeLength(length: Length, since: string, now: Date): string {
  switch (length.is) {
    case 'over':
      return formatDuration(length.milliseconds);
    case 'unknown':
      return '';
    case 'going on': {
      const soFar = `${formatDuration(between(since, now.toISOString()))} so far`;
      if (length.until === undefined) return soFar;
      return `${soFar}, ${formatDuration(between(now.toISOString(), length.until))} left`;
    }
  }
}

function isGoing(entry: Entry): boolean {
  return (entry.kind === 'wait' || entry.kind === 'attempt') && entry.length.is === 'going on';
}
