import { shortId } from '../jobs/job';
import { operations } from './act';
import type { Lane, Paused, PauseScope } from './delivery';
import type { Operation } from './use-operation';

/** Where there are more, the others are counted. */
const SHOWN = 6;

interface Props {
  readonly paused: Paused | undefined;
  readonly nameOf: (conversationId: string) => string | undefined;
  readonly operation: Operation;
}

/** Stops everything, where it is not stopped already. */
export function PauseEverything({ paused, operation }: Pick<Props, 'paused' | 'operation'>) {
  return (
    <button
      type="button"
      className="button small"
      disabled={paused === undefined || paused.all || operation.busy}
      title="Deliveries are accepted, and none is sent until they are resumed"
      onClick={() =>
        operation.run(async key => {
          await operations.pause(key, { scope: 'all' });
          return 'Everything is paused.';
        })
      }
    >
      Pause everything
    </button>
  );
}

/** What is stopped, with the way to let each go. */
export function Pauses({ paused, nameOf, operation }: Props) {
  if (paused === undefined || !isAnything(paused)) return null;
  const laneName = ({ conversationId }: Lane) => nameOf(conversationId) ?? shortId(conversationId);
  const resume = (scope: PauseScope, done: string) =>
    operation.run(async key => {
      await operations.resume(key, scope);
      return done;
    });
  const more = paused.lanes.length - SHOWN;
  return (
    <section className="pauses" aria-label="Paused">
      <span className="pauses-title">Paused</span>
      <ul>
        {paused.all && (
          <Item
            what="everything"
            busy={operation.busy}
            resume={() => resume({ scope: 'all' }, 'Everything is resumed.')}
          />
        )}
        {paused.channels.map(channelId => (
          <Item
            key={channelId}
            what={`channel ${channelId}`}
            busy={operation.busy}
            resume={() => resume({ scope: 'channel', channelId }, `Channel ${channelId} is resumed.`)}
          />
        ))}
        {paused.lanes.slice(0, SHOWN).map(lane => (
          <Item
            key={`${lane.channelId}/${lane.conversationId}`}
            what={`conversation ${laneName(lane)}`}
            title={lane.conversationId}
            busy={operation.busy}
            resume={() => resume({ scope: 'lane', ...lane }, `Conversation ${laneName(lane)} is resumed.`)}
          />
        ))}
        {more > 0 && <li>and {more.toLocaleString()} more</li>}
      </ul>
    </section>
  );
}

function Item({ what, title, busy, resume }: { what: string; title?: string; busy: boolean; resume: () => void }) {
  return (
    <li title={title}>
      <span>{what}</span>
      <button type="button" className="link" disabled={busy} onClick={resume} aria-label={`Resume ${what}`}>
        Resume
      </button>
    </li>
  );
}

function isAnything({ all, channels, lanes }: Paused): boolean {
  return all || channels.length > 0 || lanes.length > 0;
}
