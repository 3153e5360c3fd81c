import { createContext, useCallback, useContext, useLayoutEffect, useRef } from 'react';

/** The Web Chat that a component belongs to: any object that is its own. */
export const WebChatScope = createContext<object>({});

/**
 * Stands in for the package `use-propagate` (vite.config.ts), by which the parts of Web Chat tell each other to give the
 * send box the focus or to scroll the transcript. That one tells every Web Chat of the page, so that sending a message in the
 * left window put the focus into the right one. This one tells only the Web Chat in whose {@link WebChatScope} it is called.
 */
export function createPropagation<T>() {
  const listeners = new WeakMap<object, Set<(value: T) => void>>();
  const listenersOf = (scope: object) => {
    const known = listeners.get(scope) ?? new Set();
    listeners.set(scope, known);
    return known;
  };

  return {
    useListen(listener: (value: T) => void): void {
      const scope = useContext(WebChatScope);
      const latest = useRef(listener);
      latest.current = listener;
      useLayoutEffect(() => {
        const call = (value: T) => latest.current(value);
        listenersOf(scope).add(call);
        return () => void listenersOf(scope).delete(call);
      }, [scope]);
    },

    usePropagate(): (value: T) => void {
      const scope = useContext(WebChatScope);
      return useCallback((value: T) => listenersOf(scope).forEach(listener => listener(value)), [scope]);
    }
  };
}
