import { useCallback, useEffect, useState, type ReactNode } from 'react';

import { SignIn } from '../access/SignIn';
import { useAccess } from '../access/use-access';
import { Deliveries } from '../deliveries/Deliveries';
import { everything } from '../deliveries/filter';
import { useJobs } from '../jobs/use-jobs';
import { useServer } from '../server/use-server';
import { useWindowConversations } from './connections';
import { Desk } from './Desk';
import { LogOnly } from './LogOnly';
import { deliveriesHref, deskHref, useRoute } from './route';
import { Top } from './Top';

/**
 * The page at `/`. What it shows depends on the server: with a local channel the two chat windows and the job log,
 * without one the log alone, and before either a form where the server asks for a key. The deliveries have an address
 * of their own, `#/deliveries`; the chat windows stay as they are meanwhile.
 */
export function Page() {
  const server = useServer();
  const access = useAccess();
  const route = useRoute();
  const signedOut = access.refused || (server?.authenticated === true && access.key === undefined);
  const jobs = useJobs(access, server !== undefined && !signedOut);
  const windows = useWindowConversations();
  const [news, setNews] = useState(false);
  const away = route.view === 'deliveries';
  const deskSeen = useSeen(server !== undefined && !signedOut && !away);

  useEffect(() => {
    document.title = away ? 'Deliveries · Tidings' : 'Tidings';
    scrollTo({ top: 0 });
    if (!away) setNews(false);
  }, [away]);

  const nameOf = useCallback((id: string) => windows.find(window => window.id === id)?.name, [windows]);
  const onNews = useCallback(() => setNews(true), []);

  if (server === undefined) {
    return (
      <>
        <Top />
        <main aria-busy="true" />
      </>
    );
  }
  if (signedOut) {
    return (
      <>
        <Top />
        <main>
          <SignIn access={access} />
        </main>
      </>
    );
  }

  const top = (
    <Top
      views={[
        { title: server.localChannel ? 'Chat' : 'Job log', href: deskHref, current: !away, news },
        { title: 'Deliveries', href: deliveriesHref({ filter: everything }), current: away, news: false }
      ]}
      signOut={access.key === undefined ? undefined : access.signOut}
    />
  );
  const deliveries = away && (
    <Deliveries
      access={access}
      filter={route.filter}
      before={route.before}
      open={route.open}
      nameOf={server.localChannel ? nameOf : unnamed}
      windows={server.localChannel ? windows : []}
      chats={server.localChannel}
      running={jobs.page?.jobs.find(job => job.state === 'running')?.number}
    />
  );
  const skip = away && <SkipToDeliveries />;

  // The windows are opened when they are first looked at: this tab would take them from another one.
  if (server.localChannel && deskSeen) {
    return (
      <Desk jobs={jobs} nameOf={nameOf} top={<Both first={skip} then={top} />} away={away} onNews={onNews}>
        {deliveries}
      </Desk>
    );
  }
  return away ? (
    <>
      {skip}
      {top}
      <main>{deliveries}</main>
    </>
  ) : (
    <LogOnly jobs={jobs} access={access} top={top} />
  );
}

function SkipToDeliveries() {
  return (
    <nav className="skip" aria-label="Skip to">
      <a
        href="#deliveries"
        onClick={event => {
          // The address behind the `#` is the page's.
          event.preventDefault();
          document.getElementById('deliveries')?.focus();
        }}
      >
        Skip to the deliveries
      </a>
    </nav>
  );
}

function Both({ first, then }: { first: ReactNode; then: ReactNode }) {
  return (
    <>
      {first}
      {then}
    </>
  );
}

/** Whether it has been so once. */
function useSeen(is: boolean): boolean {
  const [seen, setSeen] = useState(is);
  if (is && !seen) setSeen(true);
  return seen || is;
}

function unnamed(): undefined {
  // A server without chat windows has no names for conversations.
}
