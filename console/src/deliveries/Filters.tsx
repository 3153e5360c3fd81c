import { useEffect, useId, useRef, useState } from 'react';

import { change, everything, isEverything, periods, type Filter, type Period } from './filter';
import { describeState, groups } from './states';
import { fromLocalInput, toLocalInput } from './time';

interface Props {
  readonly filter: Filter;
  /** With `replace` the way back does not lead through this filter. */
  readonly choose: (filter: Filter, options?: { replace: boolean }) => void;
  /** Conversations that can be offered, with what to call them. */
  readonly conversations: readonly { readonly id: string; readonly name: string | undefined }[];
}

/** How long nobody must have typed before the list changes. */
const TYPED_MS = 500;

/** Which deliveries the list shows. */
export function Filters({ filter, choose, conversations }: Props) {
  const id = useId();
  const [range, setRange] = useState(false);
  const between = range || filter.since !== undefined || filter.until !== undefined;

  const choosePeriod = (value: string) => {
    setRange(value === 'between');
    choose(change(filter, { period: value in periods ? (value as Period) : undefined, since: undefined, until: undefined }));
  };

  return (
    <form className="filters" role="search" aria-label="Filter the deliveries" onSubmit={event => event.preventDefault()}>
      <label htmlFor={`${id}-state`}>
        <span className="filter-name">State</span>
        <select
          id={`${id}-state`}
          value={filter.states.join(',')}
          onChange={event => choose(change(filter, { states: event.target.value.split(',').filter(Boolean) }))}
        >
          <option value="">All states</option>
          {groups.map(group =>
            group.states.length === 1 ? (
              <option key={group.id} value={group.states[0]}>
                {group.title}
              </option>
            ) : (
              <optgroup key={group.id} label={group.title}>
                <option value={group.states.join(',')}>{group.title}: all</option>
                {group.states.map(state => (
                  <option key={state} value={state}>
                    {describeState(state).text}
                  </option>
                ))}
              </optgroup>
            )
          )}
          {!isOffered(filter.states) && (
            <option value={filter.states.join(',')}>{filter.states.map(state => describeState(state).text).join(', ')}</option>
          )}
        </select>
      </label>
      <label htmlFor={`${id}-period`}>
        <span className="filter-name">Accepted</span>
        <select
          id={`${id}-period`}
          value={between ? 'between' : (filter.period ?? '')}
          onChange={event => choosePeriod(event.target.value)}
        >
          <option value="">At any time</option>
          {Object.entries(periods).map(([period, { title }]) => (
            <option key={period} value={period}>
              {title}
            </option>
          ))}
          <option value="between">Between…</option>
        </select>
      </label>
      {between && (
        <div className="filter-range">
          <Limit name="From" value={filter.since} choose={since => choose(change(filter, { since }), { replace: true })} />
          <Limit name="To" value={filter.until} choose={until => choose(change(filter, { until }), { replace: true })} />
        </div>
      )}
      <ConversationField
        id={`${id}-conversation`}
        value={filter.conversation ?? ''}
        conversations={conversations}
        choose={conversation => choose(change(filter, { conversation, channel: undefined }))}
      />
      <button
        type="button"
        className="button quiet small filter-clear"
        disabled={isEverything(filter) && !range}
        onClick={() => {
          setRange(false);
          choose(everything);
        }}
      >
        Clear
      </button>
    </form>
  );
}

function Limit({ name, value, choose }: { name: string; value: string | undefined; choose: (value: string | undefined) => void }) {
  return (
    <label>
      <span className="filter-name">{name}</span>
      <input
        type="datetime-local"
        value={value === undefined ? '' : toLocalInput(value)}
        onChange={event => choose(fromLocalInput(event.target.value))}
      />
    </label>
  );
}

interface ConversationProps extends Pick<Props, 'conversations'> {
  readonly id: string;
  readonly value: string;
  readonly choose: (value: string) => void;
}

function ConversationField({ id, value, conversations, choose }: ConversationProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);

  // The list follows when the typing pauses; that it is drawn anew meanwhile is no typing.
  const chosen = useRef(choose);
  chosen.current = choose;
  useEffect(() => {
    if (text.trim() === value) return;
    const timer = setTimeout(() => chosen.current(text.trim()), TYPED_MS);
    return () => clearTimeout(timer);
  }, [text, value]);

  return (
    <div className="filter-conversation">
      <label htmlFor={id}>
        <span className="filter-name">Conversation</span>
        <input
          id={id}
          type="search"
          list={`${id}-known`}
          value={text}
          placeholder="Any, or paste an ID"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={event => setText(event.target.value)}
          onKeyDown={event => {
            if (event.key === 'Enter') choose(text.trim());
          }}
        />
      </label>
      <datalist id={`${id}-known`}>
        {conversations.map(conversation => (
          <option key={conversation.id} value={conversation.id}>
            {conversation.name}
          </option>
        ))}
      </datalist>
    </div>
  );
}

function isOffered(states: readonly string[]): boolean {
  const value = states.join(',');
  return (
    value === '' || groups.some(group => group.states.join(',') === value || (states.length === 1 && group.states.includes(value)))
  );
}
