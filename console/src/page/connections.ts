import { useMemo, useSyncExternalStore } from 'react';

import { Connection } from '../conversation/connection';
import { loadSession } from '../conversation/session';
import { jobSystem, you, type WindowId } from './windows';

/** Both conversations outlive every drawing of the page, so they are made once. */
export const connections: Record<WindowId, Connection> = {
  you: new Connection('you', you.title),
  'job-system': new Connection('job-system', jobSystem.title)
};

export function useConnection(id: WindowId) {
  return useSyncExternalStore(connections[id].subscribe, connections[id].getSnapshot);
}

/** The conversations of the two windows. Before a window is opened, the one it had the last time. */
export function useWindowConversations(): readonly { readonly id: string; readonly name: string }[] {
  const yours = useConnection('you').session?.conversationId;
  const systems = useConnection('job-system').session?.conversationId;
  return useMemo(
    () =>
      [
        { id: yours ?? loadSession('you')?.conversationId, name: you.title },
        { id: systems ?? loadSession('job-system')?.conversationId, name: jobSystem.title }
      ].filter((window): window is { id: string; name: string } => window.id !== undefined),
    [yours, systems]
  );
}
