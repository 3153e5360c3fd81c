import { useEffect, useRef, type ReactNode } from 'react';

import type { Access } from '../access/use-access';
import { shortId } from '../jobs/job';
import { CopyButton } from '../page/CopyButton';
import { Empty } from '../page/Empty';
import { CloseIcon } from '../page/icons';
import { Moment } from '../page/Moment';
import { deliveriesHref } from '../page/route';
import type { Changes } from '../server/changes';
import { Actions } from './Actions';
import { describeOwed, type Delivery, type DeliveryDetail, type Paused } from './delivery';
import { everything } from './filter';
import { StateChip } from './StateChip';
import { describePolicy, describeState } from './states';
import { Timeline } from './Timeline';
import { useFresh } from './use-fresh';
import { useOperation } from './use-operation';

interface Props {
  readonly access: Access;
  readonly changes: Changes;
  readonly id: number;
  /** The delivery as the list has it, until all of it is there. */
  readonly known: Delivery | undefined;
  readonly paused: Paused | undefined;
  readonly nameOf: (conversationId: string) => string | undefined;
  readonly close: () => void;
}

/** One delivery: what it says, what can be done with it, and all that happened to it. */
export function DeliveryPanel({ access, changes, id, known, paused, nameOf, close }: Props) {
  const { answer, of, problem } = useFresh<DeliveryDetail>(access, String(id), id => `/deliveries/${id}`, changes, 300);
  const operation = useOperation(access, changes, id);
  const detail = of === String(id) ? answer : undefined;
  const head = detail ?? known;
  const title = useRef<HTMLHeadingElement>(null);

  useEffect(() => title.current?.focus({ preventScroll: true }), [id]);

  return (
    <section className="card delivery" aria-labelledby="delivery-title" data-delivery-open={id}>
      <header className="card-header">
        <h2 id="delivery-title" ref={title} tabIndex={-1}>
          Delivery {id}
        </h2>
        {head && <StateChip state={head.state} />}
        <span className="spacer" />
        <button type="button" className="icon-button" onClick={close} aria-label="Close this delivery" title="Close (Esc)">
          <CloseIcon />
        </button>
      </header>
      {head && (
        <div className="delivery-head">
          <blockquote className="owed">{describeOwed(head)}</blockquote>
          <p className="delivery-meaning">{describeState(head.state).meaning}</p>
          <Actions delivery={head} paused={paused} operation={operation} />
        </div>
      )}
      {detail ? (
        <>
          <Timeline key={id} delivery={detail} />
          <Facts delivery={detail} nameOf={nameOf} />
          <Json delivery={detail} />
        </>
      ) : problem ? (
        <Empty title="It can not be read.">{problem}</Empty>
      ) : (
        <div className="job-skeleton" role="status" aria-label="Loading the delivery">
          <span className="skeleton" />
          <span className="skeleton" />
          <span className="skeleton" />
        </div>
      )}
    </section>
  );
}

function Facts({ delivery, nameOf }: { delivery: DeliveryDetail; nameOf: Props['nameOf'] }) {
  const now = new Date();
  const { channelId, conversationId } = delivery;
  const name = nameOf(conversationId);
  return (
    <dl className="facts">
      <Fact name="Conversation">
        {name && <span className="window-name">{name}</span>}
        <code title={conversationId}>{shortId(conversationId)}</code>
        <CopyButton text={conversationId} label="Copy the conversation ID" />
        <a href={deliveriesHref({ filter: { ...everything, channel: channelId, conversation: conversationId } })}>
          All of this conversation
        </a>
      </Fact>
      <Fact name="Channel">{channelId}</Fact>
      {delivery.tenant !== '' && (
        <Fact name="Tenant">
          <code>{delivery.tenant}</code>
        </Fact>
      )}
      <Fact name="Class">{delivery.class}</Fact>
      <Fact name="If nobody knows">{describePolicy(delivery.policy)}</Fact>
      {delivery.dueAt !== null && (
        <Fact name="Due">
          <Moment iso={delivery.dueAt} now={now} />
        </Fact>
      )}
      {delivery.expiresAt !== null && delivery.endedAt === null && (
        <Fact name="Expires">
          <Moment iso={delivery.expiresAt} now={now} />
        </Fact>
      )}
      {delivery.activityId !== null && (
        <Fact name="Activity ID">
          <code title={delivery.activityId}>{delivery.activityId}</code>
        </Fact>
      )}
      <Related name="Sent by the handler of" id={delivery.parentId} />
      <Related name="Sent again for" id={delivery.retryOf} />
      <Related name="Merged into" id={delivery.mergedInto} />
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Related({ name, id }: { name: string; id: number | null }) {
  if (id === null) return null;
  return (
    <Fact name={name}>
      <a href={deliveriesHref({ filter: everything, open: id })}>delivery {id}</a>
    </Fact>
  );
}

function Json({ delivery }: { delivery: DeliveryDetail }) {
  const value = delivery.content.kind === 'handler' ? delivery.payload : delivery.activity;
  if (value === undefined || value === null) return null;
  const text = JSON.stringify(value, undefined, 2);
  const name = delivery.content.kind === 'handler' ? 'payload' : 'activity';
  return (
    <details className="json">
      <summary>The {name} as JSON</summary>
      <div className="json-body">
        <CopyButton text={text} label={`Copy the ${name}`} />
        {/* It scrolls, so it must be reachable without a mouse. */}
        <pre tabIndex={0} aria-label={`The ${name} as JSON`}>
          {text}
        </pre>
      </div>
    </details>
  );
}
