import { useEffect, useRef, useState, type ReactNode } from 'react';

import { deliveriesHref } from '../page/route';
import { isClosed, operations } from './act';
import { isLanePaused, type Delivery, type Paused } from './delivery';
import { everything } from './filter';
import { canCancel, canRetry } from './states';
import type { Operation } from './use-operation';

interface Props {
  readonly delivery: Delivery;
  readonly paused: Paused | undefined;
  readonly operation: Operation;
}

/** What can be done with a delivery, and what came of it. */
export function Actions({ delivery, paused, operation }: Props) {
  const { id, channelId, conversationId } = delivery;
  const lane = { channelId, conversationId };
  const lanePaused = paused !== undefined && isLanePaused(paused, lane);
  const channelPaused = paused !== undefined && paused.channels.includes(channelId);

  // The channel said so when this was sent, or the server now: then it is only sent if the conversation is opened.
  const [foundClosed, setFoundClosed] = useState<number | undefined>();
  const closed = delivery.reason === 'closed' || foundClosed === id;

  const cancel = () =>
    operation.run(async key => {
      await operations.cancel(key, id);
      return `Delivery ${id} is cancelled.`;
    });
  const retry = () =>
    operation.run(async key => {
      const next = await operations.retry(key, id, closed).catch((error: unknown) => {
        if (isClosed(error)) setFoundClosed(id);
        throw error;
      });
      return (
        <>
          It is owed again, as <a href={deliveriesHref({ filter: everything, open: next })}>delivery {next}</a>.
        </>
      );
    });
  const togglePause = (scope: { scope: 'lane' } & typeof lane | { scope: 'channel'; channelId: string }, is: boolean, what: string) =>
    operation.run(async key => {
      await (is ? operations.resume(key, scope) : operations.pause(key, scope));
      return is ? `${what} is resumed.` : `${what} is paused: nothing is sent there until it is resumed.`;
    });

  return (
    <div className="actions">
      <div className="actions-row" role="group" aria-label={`Actions on delivery ${id}`}>
        {canRetry(delivery) && (
          <Confirmed
            key={`retry-${id}`}
            label="Send again"
            busy={operation.busy}
            primary
            question={
              closed
                ? 'The channel had closed the conversation: it is opened again, and may be closed again.'
                : delivery.state === 'unknown'
                  ? 'The user may get it twice.'
                  : undefined
            }
            yes={closed ? 'Open it and send again' : 'Send it again'}
            act={retry}
          />
        )}
        {canCancel(delivery) && (
          <Confirmed
            key={`cancel-${id}`}
            label="Cancel"
            busy={operation.busy}
            question="It will never be sent."
            yes="Cancel the delivery"
            act={cancel}
          />
        )}
        <button
          type="button"
          className="button small"
          disabled={operation.busy || paused === undefined}
          title={conversationId}
          onClick={() => togglePause({ scope: 'lane', ...lane }, lanePaused, 'This conversation')}
        >
          {lanePaused ? 'Resume conversation' : 'Pause conversation'}
        </button>
        <button
          type="button"
          className="button small"
          disabled={operation.busy || paused === undefined}
          title={channelId}
          onClick={() => togglePause({ scope: 'channel', channelId }, channelPaused, `Channel ${channelId}`)}
        >
          {channelPaused ? 'Resume channel' : 'Pause channel'}
        </button>
      </div>
      <OutcomeLine operation={operation} />
    </div>
  );
}

/** What came of the last operation: said aloud too, and at once where it failed. */
export function OutcomeLine({ operation: { outcome } }: { operation: Operation }) {
  return (
    <div className="outcome">
      <p role="status" className="outcome-good">
        {outcome?.good === true && outcome.text}
      </p>
      <p role="alert" className="outcome-bad">
        {outcome?.good === false && outcome.text}
      </p>
    </div>
  );
}

interface ConfirmedProps {
  readonly label: string;
  /** What to consider first; without one it is done at once. */
  readonly question: ReactNode | undefined;
  readonly yes: string;
  readonly busy: boolean;
  readonly primary?: boolean;
  readonly act: () => void;
}

/** A button that asks once more, in its own place. */
function Confirmed({ label, question, yes, busy, primary = false, act }: ConfirmedProps) {
  const [asking, setAsking] = useState(false);
  const sure = useRef<HTMLButtonElement>(null);
  const first = useRef<HTMLButtonElement>(null);
  const wasAsking = useRef(false);

  useEffect(() => {
    if (asking) sure.current?.focus();
    else if (wasAsking.current) first.current?.focus();
    wasAsking.current = asking;
  }, [asking]);

  if (!asking) {
    return (
      <button
        type="button"
        ref={first}
        className={primary ? 'button small primary' : 'button small'}
        disabled={busy}
        onClick={() => (question === undefined ? act() : setAsking(true))}
      >
        {label}
      </button>
    );
  }
  return (
    <span
      className="confirm"
      role="group"
      aria-label={label}
      onKeyDown={event => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        setAsking(false);
      }}
    >
      <span className="confirm-question">{question}</span>
      <button
        type="button"
        ref={sure}
        className="button small primary"
        onClick={() => {
          setAsking(false);
          act();
        }}
      >
        {yes}
      </button>
      <button type="button" className="button small" onClick={() => setAsking(false)}>
        Not now
      </button>
    </span>
  );
}
