import { useEffect, useRef, type FocusEvent, type KeyboardEvent, type MouseEvent } from 'react';

import { formatFullTime, shortId } from '../jobs/job';
import { deliveriesHref, go } from '../page/route';
import type { Arrangement } from './arrange';
import { describeContent, type Delivery } from './delivery';
import type { Filter } from './filter';
import { StateChip } from './StateChip';
import { describeCourse } from './states';
import { formatWhen } from './time';

/** What the columns are called, in the styles and in the head. */
const columns = [
  ['id', 'Number'],
  ['state', 'State'],
  ['content', 'What is owed'],
  ['course', 'Why'],
  ['conversation', 'Conversation'],
  ['starts', 'Attempts'],
  ['accepted', 'Accepted']
] as const;

interface Props {
  readonly arrangement: Arrangement;
  readonly filter: Filter;
  readonly before: string | undefined;
  readonly open: number | undefined;
  readonly nameOf: (conversationId: string) => string | undefined;
  /** Whether the rows belong to an earlier filter, while those of this one are asked for. */
  readonly stale: boolean;
  /** Somebody begins, or ends, to point at the rows: then none may move. */
  readonly onPointing: (pointing: boolean) => void;
  /** The same of whoever goes through them with the keyboard. */
  readonly onFocused: (focused: boolean) => void;
}

/** The deliveries, one a row; each a card where there is no room for columns. */
export function DeliveryList({ arrangement, filter, before, open, nameOf, stale, onPointing, onFocused }: Props) {
  const body = useRef<HTMLTableSectionElement>(null);
  const now = new Date();

  // Rows that go away can not tell that nobody looks at them.
  useEffect(
    () => () => {
      onPointing(false);
      onFocused(false);
    },
    [onPointing, onFocused]
  );

  // On its way to the button that shows what is new, which must not vanish under it.
  const leave = () => {
    if (arrangement.fresh === 0) onPointing(false);
  };
  const blur = (event: FocusEvent) => {
    if (!body.current?.contains(event.relatedTarget)) onFocused(false);
  };
  const move = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const links = [...(body.current?.querySelectorAll<HTMLAnchorElement>('th a') ?? [])];
    const next = links[links.indexOf(document.activeElement as HTMLAnchorElement) + step];
    if (next === undefined) return;
    event.preventDefault();
    next.focus();
  };

  return (
    <table className="deliveries-table" aria-busy={stale} aria-label="Deliveries, newest first">
      <thead>
        <tr>
          {columns.map(([name, title]) => (
            <th key={name} scope="col" data-column={name}>
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody
        ref={body}
        onPointerEnter={() => onPointing(true)}
        onPointerLeave={leave}
        onFocus={() => onFocused(true)}
        onBlur={blur}
        onKeyDown={move}
      >
        {arrangement.rows.map(delivery => (
          <Row
            key={delivery.id}
            delivery={delivery}
            href={deliveriesHref({ filter, before, open: delivery.id })}
            open={delivery.id === open}
            left={arrangement.left.has(delivery.id)}
            name={nameOf(delivery.conversationId)}
            now={now}
          />
        ))}
      </tbody>
    </table>
  );
}

interface RowProps {
  readonly delivery: Delivery;
  readonly href: string;
  readonly open: boolean;
  readonly left: boolean;
  readonly name: string | undefined;
  readonly now: Date;
}

function Row({ delivery, href, open, left, name, now }: RowProps) {
  const text = describeContent(delivery.content);
  const course = describeCourse(delivery, iso => formatWhen(iso, now));
  const openIt = (event: MouseEvent) => {
    // Whoever marks a text, or uses what is in the row, does not mean the row.
    if ((event.target as Element).closest('a, button') || getSelection()?.isCollapsed === false) return;
    go(href);
  };
  return (
    <tr
      data-delivery={delivery.id}
      data-open={open || undefined}
      data-left={left || undefined}
      title={left ? 'It no longer matches the filter' : undefined}
      onClick={openIt}
    >
      <th scope="row" data-column="id">
        <a href={href} aria-label={`Delivery ${delivery.id}`} aria-current={open ? 'true' : undefined}>
          {delivery.id}
        </a>
      </th>
      <td data-column="state">
        <StateChip state={delivery.state} />
      </td>
      <td data-column="content" title={text}>
        <span className="clip">{text}</span>
      </td>
      <td data-column="course" title={course}>
        <span className="clip">{course}</span>
      </td>
      <td data-column="conversation" title={`${delivery.channelId}: ${delivery.conversationId}`}>
        <span className="clip">
          {name && <span className="window-name">{name}</span>}
          <code>{shortId(delivery.conversationId)}</code>
        </span>
      </td>
      <td data-column="starts">{delivery.starts}</td>
      <td data-column="accepted">
        <time dateTime={delivery.createdAt} title={formatFullTime(delivery.createdAt)}>
          {formatWhen(delivery.createdAt, now)}
        </time>
      </td>
    </tr>
  );
}
