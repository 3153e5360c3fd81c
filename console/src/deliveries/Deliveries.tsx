import { useCallback, useMemo, useState } from 'react';

import type { Access } from '../access/use-access';
import { Empty } from '../page/Empty';
import { deliveriesHref, go } from '../page/route';
import { Changes } from '../server/changes';
import { OutcomeLine } from './Actions';
import type { Delivery, Summary } from './delivery';
import { DeliveryPanel } from './DeliveryPanel';
import type { Filter } from './filter';
import { Filters } from './Filters';
import { ListCard } from './ListCard';
import { PauseEverything, Pauses } from './Pauses';
import { Tally } from './Tally';
import { useClosing } from './use-closing';
import { useFeed, type Feed } from './use-feed';
import { useFresh } from './use-fresh';
import { useList } from './use-list';
import { useOperation } from './use-operation';

interface Props {
  readonly access: Access;
  readonly filter: Filter;
  readonly before: string | undefined;
  /** The delivery that is looked at. */
  readonly open: number | undefined;
  readonly nameOf: (conversationId: string) => string | undefined;
  /** The conversations of the chat windows; none where there are no windows. */
  readonly windows: readonly { readonly id: string; readonly name: string }[];
  readonly chats: boolean;
  /** The number of a job that is not complete yet. */
  readonly running: number | undefined;
}

/** Everything that is owed, and was: live, filtered, and one delivery in full. */
export function Deliveries({ access, filter, before, open, nameOf, windows, chats, running }: Props) {
  const [changes] = useState(() => new Changes());
  const feed = useFeed(access, changes);
  const readable = feed.state !== 'forbidden';
  const summary = useFresh<Summary>(access, readable ? 'summary' : undefined, () => '/deliveries/summary', changes, 1_000);
  const paused = summary.answer?.paused;
  const operation = useOperation(access, changes, undefined);
  const list = useList(access, filter, before, feed, changes);
  const close = useClosing(open, filter, before);

  const choose = useCallback(
    (chosen: Filter, options?: { replace: boolean }) => go(deliveriesHref({ filter: chosen, open }), options),
    [open]
  );
  const conversations = useMemo(() => offer(windows, list.page?.deliveries ?? []), [windows, list.page]);

  if (!readable) {
    return (
      <section className="card" aria-labelledby="deliveries-title">
        <header className="card-header">
          <h2 id="deliveries-title">Deliveries</h2>
        </header>
        <Empty title="This key may not see deliveries." action="Use another key" act={access.signOut}>
          {feed.reason} The operator makes one with <code>tidings keys create --scope deliveries:read</code>.
        </Empty>
      </section>
    );
  }

  return (
    <section className="deliveries" id="deliveries" aria-labelledby="deliveries-title" tabIndex={-1} data-open={open !== undefined}>
      <header className="deliveries-header">
        <h2 id="deliveries-title">Deliveries</h2>
        <FeedLabel feed={feed} />
        <span className="spacer" />
        <OutcomeLine operation={operation} />
        <PauseEverything paused={paused} operation={operation} />
      </header>
      <Pauses paused={paused} nameOf={nameOf} operation={operation} />
      <Tally summary={summary.answer} filter={filter} choose={choose} />
      <div className="deliveries-body">
        <ListCard
          list={list}
          filter={filter}
          before={before}
          open={open}
          nameOf={nameOf}
          chats={chats}
          running={running}
          filters={<Filters filter={filter} choose={choose} conversations={conversations} />}
        />
        {open !== undefined && (
          <DeliveryPanel
            access={access}
            changes={changes}
            id={open}
            known={list.page?.deliveries.find(({ id }) => id === open)}
            paused={paused}
            nameOf={nameOf}
            close={close}
          />
        )}
      </div>
    </section>
  );
}

const feedWords: Record<Feed['state'], { text: string; state: string; title: string }> = {
  loading: { text: 'Connecting', state: 'connecting', title: 'The list is being asked for.' },
  live: { text: 'Live', state: 'live', title: 'Deliveries appear as they change.' },
  polled: { text: 'Every 5 s', state: 'live', title: 'The server has no stream to spare: the list is asked for every five seconds.' },
  lost: { text: 'Reconnecting', state: 'offline', title: 'Not up to date. It is tried again until the server answers.' },
  forbidden: { text: 'Refused', state: 'refused', title: 'This key may not see deliveries.' }
};

function FeedLabel({ feed: { state } }: { feed: Feed }) {
  const words = feedWords[state];
  return (
    <span className="connection" data-state={words.state} data-feed={state} role="status" title={words.title}>
      <span className="connection-dot" aria-hidden="true" />
      {words.text}
    </span>
  );
}

/** The conversations to offer for the filter: those of the windows, then those in sight. */
function offer(windows: Props['windows'], deliveries: readonly Delivery[]): { id: string; name: string | undefined }[] {
  const known = new Map<string, string | undefined>(windows.map(({ id, name }) => [id, name]));
  for (const { conversationId } of deliveries) if (!known.has(conversationId)) known.set(conversationId, undefined);
  return [...known].map(([id, name]) => ({ id, name }));
}
