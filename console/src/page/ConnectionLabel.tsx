import type { ConnectionState } from '../conversation/connection';

const words: Record<ConnectionState, string> = {
  connecting: 'Connecting',
  live: 'Live',
  reconnecting: 'Reconnecting',
  offline: 'Offline',
  refused: 'Refused',
  paused: 'Paused'
};

const explanations: Record<ConnectionState, string> = {
  connecting: 'The conversation is being opened.',
  live: 'Messages arrive as they are sent.',
  reconnecting: 'The connection was lost and is being reopened.',
  offline: 'The server can not be reached. It is tried again until it answers.',
  refused: 'The server will not start a conversation.',
  paused: 'The conversation is open in another tab.'
};

/** The state of a window's connection, in a word. */
export function ConnectionLabel({ state }: { state: ConnectionState }) {
  return (
    <span className="connection" data-state={state} role="status" title={explanations[state]}>
      <span className="connection-dot" aria-hidden="true" />
      {words[state]}
    </span>
  );
}
