import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';

import type { ChatCommands } from '../chat/Chat';
import type { Connection } from '../conversation/connection';
import { exclusiveTab } from '../conversation/exclusive-tab';
import { JobLog } from '../jobs/JobLog';
import type { Job } from '../jobs/job';
import type { Jobs } from '../jobs/use-jobs';
import { ChatWindow } from './ChatWindow';
import { connections, useConnection } from './connections';
import { Hint } from './Hint';
import { useMediaQuery } from './use-media-query';
import { useStoredFlag } from './use-stored-flag';
import { jobSystem, placeIn, you, type WindowDescription, type WindowId } from './windows';

interface Props {
  readonly jobs: Jobs;
  /** What to call a conversation, if one of the two windows has it. */
  readonly nameOf: (conversationId: string) => string | undefined;
  /** The head of the page. */
  readonly top: ReactNode;
  /** Whether another view is shown in its place. Its conversations go on meanwhile. */
  readonly away: boolean;
  /** The bot spoke in a window that can not be seen. */
  readonly onNews: () => void;
  /** That other view. */
  readonly children: ReactNode;
}

/** Two chat windows beside each other, or as tabs on a small screen, and the job log under them. */
export function Desk({ jobs, nameOf, top, away, onNews, children }: Props) {
  const takeOver = useExclusiveConnections();
  const narrow = useMediaQuery('(max-width: 759px)');
  const [shown, setShown] = useState<WindowId>('you');
  const [unread, setUnread] = useState<WindowId | undefined>();
  const [commands, setCommands] = useState<ChatCommands | undefined>();
  const hint = useStoredFlag('hint-closed');

  const systems = useConnection('job-system');
  const yourId = useConnection('you').session?.conversationId;

  const show = (id: WindowId) => {
    setShown(id);
    setUnread(current => (current === id ? undefined : current));
  };
  const botSpoke = (id: WindowId) => {
    if (id !== shown) setUnread(id);
    if (away) onNews();
  };

  const complete = useMemo(
    () => (commands && systems.state === 'live' ? (job: Job) => commands.send(`done ${job.number}`) : undefined),
    [commands, systems.state]
  );

  const running = jobs.page?.jobs.find(job => job.state === 'running');
  const latest = jobs.page?.jobs.find(job => job.conversationId === yourId);
  const step = latest === undefined ? 0 : latest.state === 'running' ? 1 : 2;

  // Whoever has done it once needs no hint the next time.
  useEffect(() => {
    if (step === 2) hint.raiseLater();
  }, [step, hint.raiseLater]);

  const windows = (
    <div className="windows" data-narrow={narrow}>
      {[you, jobSystem].map(window => (
        <ChatWindow
          key={window.id}
          window={window}
          connection={connections[window.id]}
          suggestions={window.id === 'you' ? ['run', 'show'] : running ? [`done ${running.number}`, 'show'] : ['show']}
          section={
            narrow ? { role: 'tabpanel', 'aria-hidden': window.id !== shown || undefined } : {}
          }
          takeOver={takeOver}
          onCommands={window.id === 'job-system' ? setCommands : ignore}
          onBotSpoke={() => botSpoke(window.id)}
        />
      ))}
    </div>
  );

  return (
    <>
      {!away && (
        <nav className="skip" aria-label="Skip to">
          <SkipToChat window={you} before={show} />
          <SkipToChat window={jobSystem} before={show} />
          <a href="#job-log">Skip to the job log</a>
        </nav>
      )}
      {top}
      <main>
        <div className="desk" data-shown={shown} data-away={away || undefined} aria-hidden={away || undefined}>
          {!hint.raised && <Hint step={step} job={latest?.number} dismiss={hint.raise} heir={() => placeIn(shown)} />}
          {narrow && <Tabs shown={shown} unread={unread} show={show} />}
          {windows}
          <JobLog jobs={jobs} nameOf={nameOf} complete={complete} />
        </div>
        {children}
      </main>
    </>
  );
}

function Tabs({ shown, unread, show }: { shown: WindowId; unread: WindowId | undefined; show: (id: WindowId) => void }) {
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    event.preventDefault();
    const next: WindowId = shown === 'you' ? 'job-system' : 'you';
    show(next);
    list.current?.querySelector<HTMLButtonElement>(`[aria-controls="${next}"]`)?.focus();
  };
  return (
    <div className="tabs" role="tablist" aria-label="Chat windows" ref={list} onKeyDown={move}>
      {[you, jobSystem].map(({ id, title }) => (
        <button
          key={id}
          type="button"
          role="tab"
          aria-selected={shown === id}
          aria-controls={id}
          tabIndex={shown === id ? 0 : -1}
          onClick={() => show(id)}
        >
          {title}
          {unread === id && (
            <span className="unread">
              <span className="visually-hidden"> (new message)</span>
            </span>
          )}
        </button>
      ))}
    </div>
  );
}

function SkipToChat({ window, before }: { window: WindowDescription; before: (id: WindowId) => void }) {
  return (
    <a
      href={`#${window.id}`}
      onClick={event => {
        event.preventDefault();
        before(window.id);
        // After the tab has been drawn: what is hidden can not have the focus.
        requestAnimationFrame(() => placeIn(window.id)?.focus());
      }}
    >
      Skip to the window “{window.title}”
    </a>
  );
}

function useExclusiveConnections(): () => void {
  const [takeOver, setTakeOver] = useState<() => void>(() => ignore);
  useEffect(() => {
    const each = (act: (connection: Connection) => void) => Object.values(connections).forEach(act);
    const take = exclusiveTab(
      () => each(connection => connection.start()),
      () => each(connection => connection.pause())
    );
    setTakeOver(() => take);
  }, []);
  return takeOver;
}

function ignore(): void {
  // For a window that has nothing to tell.
}
