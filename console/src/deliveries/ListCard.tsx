import { useRef, useState, type ReactNode } from 'react';

import { Empty } from '../page/Empty';
import { deliveriesHref, deskHref, go } from '../page/route';
import { useMediaQuery } from '../page/use-media-query';
import { DeliveryList } from './DeliveryList';
import { everything, isEverything, type Filter } from './filter';
import { useArrangement } from './use-arrangement';
import type { ListState } from './use-list';

interface Props {
  readonly list: ListState;
  readonly filter: Filter;
  readonly before: string | undefined;
  readonly open: number | undefined;
  readonly nameOf: (conversationId: string) => string | undefined;
  readonly chats: boolean;
  /** The number of a job that is not complete yet. */
  readonly running: number | undefined;
  readonly filters: ReactNode;
}

/** The list with its filters and pages, and what stands in its place while there is none. */
export function ListCard({ list, filter, before, open, nameOf, chats, running, filters }: Props) {
  const [pointing, setPointing] = useState(false);
  const [focused, setFocused] = useState(false);
  const { arrangement, release } = useArrangement(list, pointing || focused);
  const { page, stale, problem } = list;
  const top = useRef<HTMLElement>(null);
  const showFresh = () => {
    setPointing(false);
    release();
    top.current?.scrollIntoView({ block: 'nearest' });
  };
  return (
    <section className="card deliveries-list" aria-label="List" ref={top} onPointerLeave={() => setPointing(false)}>
      <div className="deliveries-bar">
        {filters}
        <div className="fresh" role="status">
          {arrangement.fresh > 0 && (
            <button type="button" className="button small fresh-button" onClick={showFresh}>
              Show {arrangement.fresh.toLocaleString()} new
            </button>
          )}
        </div>
      </div>
      {page === undefined ? (
        problem ? (
          <Empty title="The deliveries can not be read.">{problem} It is tried again until it works.</Empty>
        ) : (
          <Skeleton />
        )
      ) : arrangement.rows.length === 0 ? (
        <NoRows filter={filter} before={before} next={page.next} chats={chats} running={running} />
      ) : (
        <>
          {problem && (
            <p className="list-problem" role="status">
              Not up to date. {problem}
            </p>
          )}
          <DeliveryList
            arrangement={arrangement}
            filter={filter}
            before={before}
            open={open}
            nameOf={nameOf}
            stale={stale}
            onPointing={setPointing}
            onFocused={setFocused}
          />
        </>
      )}
      {page !== undefined && (before !== undefined || page.next !== null) && (
        <Pager filter={filter} before={before} open={open} next={page.next} />
      )}
    </section>
  );
}

interface NoRowsProps extends Pick<Props, 'filter' | 'before' | 'chats' | 'running'> {
  readonly next: string | null;
}

function NoRows({ filter, before, next, chats, running }: NoRowsProps) {
  const narrow = useMediaQuery('(max-width: 759px)');
  const right = narrow ? 'as the Job system' : 'on the right';
  // A search reads a part of the record at a time.
  if (next !== null) {
    return (
      <Empty title="None here." action="Look further back" act={() => go(deliveriesHref({ filter, before: next }))}>
        Nothing matches in this part of the record.
      </Empty>
    );
  }
  if (before !== undefined) {
    return (
      <Empty title="There are no older ones." action="Show the newest" act={() => go(deliveriesHref({ filter }))}>
        This is the end of the list.
      </Empty>
    );
  }
  if (!isEverything(filter)) {
    return (
      <Empty title="Nothing matches." action="Show all deliveries" act={() => go(deliveriesHref({ filter: everything }))}>
        No delivery is in this state, in this conversation and of this time.
      </Empty>
    );
  }
  if (!chats) {
    return (
      <Empty title="Nothing is owed yet.">
        When a job is completed, its creator is owed a message: it appears here, with all that becomes of it.
      </Empty>
    );
  }
  return (
    <Empty title="Nothing is owed yet." action="Go to the chat windows" act={() => go(deskHref)}>
      {running === undefined ? (
        <>
          Type <kbd>run</kbd> {narrow ? 'as You' : 'on the left'}, then <kbd>done 1</kbd> {right}.
        </>
      ) : (
        <>
          Job {running} is running: type <kbd>done {running}</kbd> {right}.
        </>
      )}{' '}
      You are then owed a message, which appears here with all that becomes of it.
    </Empty>
  );
}

function Pager({ filter, before, open, next }: Pick<Props, 'filter' | 'before' | 'open'> & { next: string | null }) {
  return (
    <nav className="pager" aria-label="Pages">
      <span>{before === undefined ? 'The newest' : `Older than ${before}`}</span>
      <span className="spacer" />
      <PageLink href={before === undefined ? undefined : deliveriesHref({ filter, open })}>Newest</PageLink>
      <PageLink href={next === null ? undefined : deliveriesHref({ filter, before: next, open })}>Older</PageLink>
    </nav>
  );
}

/** Keeps its place when there is nowhere to go. */
function PageLink({ href, children }: { href: string | undefined; children: string }) {
  return href === undefined ? (
    <span className="button small" aria-disabled="true">
      {children}
    </span>
  ) : (
    <a className="button small" href={href}>
      {children}
    </a>
  );
}

function Skeleton() {
  return (
    <div className="job-skeleton" role="status" aria-label="Loading the deliveries">
      {Array.from({ length: 6 }, (_, index) => (
        <span className="skeleton" key={index} />
      ))}
    </div>
  );
}
