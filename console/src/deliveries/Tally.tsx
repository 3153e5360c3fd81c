import { CheckIcon } from '../page/icons';
import { MOST_COUNTED, type Summary } from './delivery';
import { change, type Filter } from './filter';
import { describeState, groups, type Group } from './states';
import { formatSpan } from './time';
import { useNow } from './use-now';

interface Props {
  readonly summary: Summary | undefined;
  readonly filter: Filter;
  readonly choose: (filter: Filter) => void;
}

/** How many deliveries are in which state. Each number shows its deliveries, and hides the others, when it is pressed. */
export function Tally({ summary, filter, choose }: Props) {
  const now = useNow(summary?.oldest != null);
  return (
    <div className="tally" role="group" aria-label="How many are in which state">
      {groups.map(group => {
        const chosen = isChosen(group, filter);
        return (
          <button
            key={group.id}
            type="button"
            className="tally-item"
            data-group={group.id}
            data-tone={group.tone}
            data-some={summary !== undefined && total(group, summary) !== 0}
            aria-pressed={chosen}
            onClick={() => choose(change(filter, { states: chosen ? [] : group.states }))}
          >
            <span className="tally-number">{summary === undefined ? '–' : <Count total={total(group, summary)} />}</span>
            <span className="tally-title">{group.title}</span>
            <span className="tally-note">{summary === undefined ? '' : note(group, summary, now)}</span>
          </button>
        );
      })}
    </div>
  );
}

function Count({ total }: { total: number | undefined }) {
  if (total === undefined) return <CheckIcon />;
  return <>{total.toLocaleString() + (total >= MOST_COUNTED ? '+' : '')}</>;
}

/** Undefined where they are not counted. */
function total({ states }: Group, summary: Summary): number | undefined {
  if (states.length === 1 && states[0] === 'delivered' && summary.states['delivered'] === undefined) return undefined;
  return states.reduce((sum, state) => sum + (summary.states[state] ?? 0), 0);
}

/** What the number is made of, and how long the oldest waits. */
function note(group: Group, summary: Summary, now: Date): string {
  if (group.states.length === 1 || total(group, summary) === 0) return group.note;
  if (group.id === 'open' && summary.oldest !== null) {
    return `the oldest for ${formatSpan(summary.oldest, now.toISOString())}`;
  }
  return group.states
    .filter(state => (summary.states[state] ?? 0) > 0)
    .map(state => `${(summary.states[state] ?? 0).toLocaleString()} ${describeState(state).text.toLowerCase()}`)
    .join(', ');
}

function isChosen({ states }: Group, filter: Filter): boolean {
  return filter.states.length === states.length && states.every(state => filter.states.includes(state));
}
