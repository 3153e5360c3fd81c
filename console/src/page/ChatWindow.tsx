import { lazy, Suspense, useSyncExternalStore, type HTMLAttributes } from 'react';

import type { ChatCommands } from '../chat/Chat';
import type { Connection, ConnectionSnapshot, Notice } from '../conversation/connection';
import { shortId } from '../jobs/job';
import { ConnectionLabel } from './ConnectionLabel';
import { CopyButton } from './CopyButton';
import { Empty } from './Empty';
import { CloseIcon, PlusIcon } from './icons';
import { useHeir } from './use-heir';
import { placeIn, type WindowDescription } from './windows';

/** Web Chat is large; the page is drawn before it arrives. */
const Chat = lazy(() => import('../chat/Chat'));

interface Props {
  readonly window: WindowDescription;
  readonly connection: Connection;
  readonly suggestions: readonly string[];
  /** Given to the section itself: it is a tab panel on a small screen. */
  readonly section: HTMLAttributes<HTMLElement>;
  /** Another tab has the conversations: take them back. */
  readonly takeOver: () => void;
  readonly onCommands: (commands: ChatCommands | undefined) => void;
  readonly onBotSpoke: () => void;
}

/** One chat window: whose it is, its conversation, its connection, and Web Chat. */
export function ChatWindow({ window, connection, suggestions, section, takeOver, onCommands, onBotSpoke }: Props) {
  const snapshot = useSyncExternalStore(connection.subscribe, connection.getSnapshot);
  const titleId = `${window.id}-title`;
  return (
    <section {...section} className="card window" id={window.id} aria-labelledby={titleId} data-state={snapshot.state}>
      <header className="card-header">
        <span className="avatar" data-window={window.id} aria-hidden="true">
          {window.initial}
        </span>
        <div className="titles">
          <h2 id={titleId}>{window.title}</h2>
          <p>{window.subtitle}</p>
        </div>
        <span className="spacer" />
        <ConnectionLabel state={snapshot.state} />
      </header>
      <ConversationBar window={window} connection={connection} snapshot={snapshot} />
      {snapshot.state !== 'refused' && <NoticeBar window={window} connection={connection} snapshot={snapshot} />}
      <div className="chat">
        {snapshot.directLine === undefined ? (
          <WithoutChat connection={connection} snapshot={snapshot} takeOver={takeOver} />
        ) : (
          <Suspense fallback={<ChatSkeleton />}>
            <Chat
              key={snapshot.opened}
              directLine={snapshot.directLine}
              window={window}
              suggestions={suggestions}
              onCommands={onCommands}
              onBotSpoke={onBotSpoke}
            />
          </Suspense>
        )}
      </div>
    </section>
  );
}

function ConversationBar({ window, connection, snapshot }: { window: WindowDescription; connection: Connection; snapshot: ConnectionSnapshot }) {
  const id = snapshot.session?.conversationId;
  return (
    <div className="conversation">
      <span className="conversation-label">Conversation</span>
      {id === undefined ? (
        <span className="skeleton conversation-skeleton" />
      ) : (
        <>
          <code title={id} data-conversation-id={id}>
            {shortId(id)}
          </code>
          <CopyButton text={id} label={`Copy the conversation ID of ${window.title}`} />
        </>
      )}
      <span className="spacer" />
      <button
        type="button"
        className="button quiet small"
        disabled={snapshot.session === undefined || snapshot.state === 'paused'}
        onClick={() => connection.startNew()}
        aria-label={`New conversation for ${window.title}`}
        title="Leaves this conversation and begins another"
      >
        <PlusIcon />
        <span>
          New<span className="wide-only"> conversation</span>
        </span>
      </button>
    </div>
  );
}

function NoticeBar({ window, connection, snapshot: { notice } }: { window: WindowDescription; connection: Connection; snapshot: ConnectionSnapshot }) {
  return (
    <div role="status" className="notice-region">
      {notice && <NoticeText window={window} connection={connection} notice={notice} />}
    </div>
  );
}

function NoticeText({ window, connection, notice: { text, previous } }: { window: WindowDescription; connection: Connection; notice: Notice }) {
  const back = useHeir<HTMLButtonElement>(() => placeIn(window.id));
  const close = useHeir<HTMLButtonElement>(() => placeIn(window.id));
  return (
    <div className="notice">
      <span>{text}</span>
      {previous && (
        <button ref={back} type="button" className="link" onClick={() => connection.goBack(previous)}>
          Go back to the earlier one
        </button>
      )}
      <span className="spacer" />
      <button ref={close} type="button" className="icon-button" onClick={() => connection.dismissNotice()} aria-label="Close this message">
        <CloseIcon />
      </button>
    </div>
  );
}

/** What stands in the place of the chat while there is none, and what can be done about it. */
function WithoutChat({ connection, snapshot, takeOver }: { connection: Connection; snapshot: ConnectionSnapshot; takeOver: () => void }) {
  switch (snapshot.state) {
    case 'paused':
      return (
        <Empty title="Open in another tab." action="Use it here" act={takeOver}>
          A conversation is shown in one tab at a time.
        </Empty>
      );
    case 'refused':
      return (
        <Empty title="The server did not start a conversation." action="Try again" act={() => connection.start()}>
          {snapshot.notice?.text}
        </Empty>
      );
    case 'offline':
      return <Empty title="The server can not be reached.">It is tried again until it answers.</Empty>;
    default:
      return <ChatSkeleton />;
  }
}

function ChatSkeleton() {
  return (
    <div className="chat-skeleton" role="status" aria-label="Loading the conversation">
      <span className="skeleton" />
      <span className="skeleton own" />
      <span className="skeleton" />
      <span className="skeleton box" />
    </div>
  );
}
