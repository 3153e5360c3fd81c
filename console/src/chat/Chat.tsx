import type { DirectLine } from 'botframework-directlinejs';
import ReactWebChat, { createStore } from 'botframework-webchat';
import { useEffect, useMemo, useRef, useState } from 'react';

import { useHeir } from '../page/use-heir';
import { placeIn, type WindowDescription } from '../page/windows';
import { styleOptions } from './style-options';
import { WebChatScope } from './use-propagate';

/** What the page may ask of a window's chat. */
export interface ChatCommands {
  /** Sends a message as if it had been typed. */
  send(text: string): void;
}

interface Props {
  readonly directLine: DirectLine;
  readonly window: WindowDescription;
  /** What an empty conversation offers to send. */
  readonly suggestions: readonly string[];
  readonly onCommands: (commands: ChatCommands | undefined) => void;
  /** The bot said something that was not there when the window was opened. */
  readonly onBotSpoke: () => void;
}

/** Web Chat in one window. It is a chunk of its own: everything that imports Web Chat is here. */
export default function Chat({ directLine, window, suggestions, onCommands, onBotSpoke }: Props) {
  const spoke = useRef(onBotSpoke);
  spoke.current = onBotSpoke;

  const [empty, setEmpty] = useState(true);

  const store = useMemo(() => {
    const opened = Date.now();
    return createStore({}, () => (next: (action: Action) => unknown) => (action: Action) => {
      if (action.type === 'DIRECT_LINE/INCOMING_ACTIVITY') {
        const activity = action.payload?.activity;
        const isNew = Date.parse(activity?.timestamp ?? '') >= opened;
        if (activity?.type === 'message' && activity.from?.role === 'bot' && isNew) spoke.current();
        if (activity?.type === 'message') setEmpty(false);
      }
      if (action.type === 'DIRECT_LINE/POST_ACTIVITY_PENDING') setEmpty(false);
      return next(action);
    });
    // A store belongs to one connection.
  }, [directLine]);

  const commands = useMemo<ChatCommands>(
    () => ({ send: text => store.dispatch({ type: 'WEB_CHAT/SEND_MESSAGE', payload: { method: 'code', text } }) }),
    [store]
  );
  useEffect(() => {
    onCommands(commands);
    return () => onCommands(undefined);
  }, [onCommands, commands]);

  const options = useMemo(
    () => ({ ...styleOptions, userAvatarInitials: window.initial, userAvatarBackgroundColor: `var(--${window.id})` }),
    [window]
  );
  const strings = useMemo(() => ({ TEXT_INPUT_PLACEHOLDER: window.placeholder }), [window.placeholder]);

  return (
    <WebChatScope.Provider value={store}>
      {empty && (
        <div className="invitation">
          <p>{window.invitation}</p>
          <div className="suggestions">
            {suggestions.map(text => (
              <Suggestion key={commandOf(text)} text={text} window={window} send={commands.send} />
            ))}
          </div>
        </div>
      )}
      <ReactWebChat
        directLine={directLine}
        store={store}
        styleOptions={options}
        locale="en-US"
        overrideLocalizedStrings={strings}
      />
    </WebChatScope.Provider>
  );
}

function Suggestion({ text, window, send }: { text: string; window: WindowDescription; send: (text: string) => void }) {
  const button = useHeir<HTMLButtonElement>(() => placeIn(window.id));
  return (
    <button ref={button} type="button" className="button" onClick={() => send(text)} aria-label={`Send ${text}`}>
      {text}
    </button>
  );
}

/** What stays the same when another job is to be completed: so does the button, and the focus on it. */
function commandOf(text: string): string {
  return text.split(' ', 1)[0] ?? text;
}

interface Action {
  readonly type: string;
  readonly payload?: {
    readonly activity?: {
      readonly type?: string;
      readonly timestamp?: string;
      readonly from?: { readonly role?: string };
    };
  };
}
