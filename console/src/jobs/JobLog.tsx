import { everything } from '../deliveries/filter';
import { Empty } from '../page/Empty';
import { Moment } from '../page/Moment';
import { deliveriesHref } from '../page/route';
import { useHeir } from '../page/use-heir';
import { describeNotice, shortId, type Job } from './job';
import type { Jobs } from './use-jobs';

interface Props {
  readonly jobs: Jobs;
  /** What to call a conversation, if one of the two windows has it. */
  readonly nameOf: (conversationId: string) => string | undefined;
  /** Says that the job is done: to the bot in the job system's window, or to the server. Undefined while that can not be. */
  readonly complete: ((job: Job) => void) | undefined;
  /** Whether the page has chat windows. */
  readonly chats?: boolean;
}

/** The live job log. */
export function JobLog({ jobs: { page, state, reason }, nameOf, complete, chats = true }: Props) {
  return (
    <section className="card job-log" id="job-log" aria-labelledby="job-log-title" tabIndex={-1}>
      <header className="card-header">
        <h2 id="job-log-title">Job log</h2>
        {page && page.total > 0 && <span className="count">{summary(page.total, page.jobs)}</span>}
        <span className="spacer" />
        {state === 'lost' && (
          <span className="connection" data-state="offline" role="status">
            <span className="connection-dot" aria-hidden="true" />
            Not up to date: reconnecting
          </span>
        )}
      </header>
      {state === 'forbidden' ? (
        <Empty title="This key may not see the job log.">{reason}</Empty>
      ) : (
        <Body page={page} nameOf={nameOf} complete={complete} chats={chats} lost={state === 'lost'} />
      )}
    </section>
  );
}

function Body({ page, nameOf, complete, chats, lost }: Omit<Props, 'jobs'> & { page: Jobs['page']; lost: boolean }) {
  if (page === undefined) {
    return lost ? (
      <Empty title="The job log can not be read.">The server does not answer. It is tried again until it does.</Empty>
    ) : (
      <div className="job-skeleton" role="status" aria-label="Loading the job log">
        <span className="skeleton" />
        <span className="skeleton" />
      </div>
    );
  }
  if (page.jobs.length === 0) {
    return (
      <Empty title="No jobs yet.">
        {chats ? (
          <>
            Type <kbd>run</kbd> in the window “You”, and the job appears here.
          </>
        ) : (
          'When somebody asks the bot for one, it appears here.'
        )}
      </Empty>
    );
  }
  const now = new Date();
  return (
    <>
      <div className="job-scroll">
        <table className="jobs">
          <thead>
            <tr>
              <th scope="col">Job</th>
              <th scope="col">State</th>
              <th scope="col">Notification</th>
              <th scope="col">Conversation</th>
              <th scope="col">Started</th>
              <th scope="col">Completed</th>
              <th scope="col">
                <span className="visually-hidden">Action</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {page.jobs.map(job => (
              <Row key={job.number} job={job} name={nameOf(job.conversationId)} now={now} complete={complete} chats={chats} />
            ))}
          </tbody>
        </table>
      </div>
      {page.older > 0 && <p className="older">{page.older === 1 ? '1 older job is' : `${page.older.toLocaleString()} older jobs are`} not shown.</p>}
    </>
  );
}

interface RowProps extends Pick<Props, 'complete' | 'chats'> {
  readonly job: Job;
  readonly name: string | undefined;
  readonly now: Date;
}

function Row({ job, name, now, complete, chats }: RowProps) {
  const notice = describeNotice(job.notice);
  return (
    <tr data-job={job.number}>
      <th scope="row">{job.number}</th>
      <td data-label="State">
        <span className="chip" data-tone={job.state === 'running' ? 'busy' : 'good'}>
          {job.state === 'running' ? 'Running' : 'Complete'}
        </span>
      </td>
      <td data-label="Notification">
        <span className="notice-state" data-tone={notice.tone}>
          {job.notice === null ? (
            notice.text
          ) : (
            <a
              href={deliveriesHref({ filter: { ...everything, channel: job.channelId, conversation: job.conversationId } })}
              title="The deliveries of this conversation"
            >
              {notice.text}
            </a>
          )}
        </span>
      </td>
      <td data-label="Conversation" title={job.conversationId}>
        {name && <span className="window-name">{name}</span>}
        <code>{shortId(job.conversationId)}</code>
      </td>
      <td data-label="Started">
        <Moment iso={job.startedAt} now={now} />
      </td>
      <td data-label="Completed">{job.completedAt ? <Moment iso={job.completedAt} now={now} /> : <span className="none">–</span>}</td>
      <td className="job-action">
        {job.state === 'running' && <Complete job={job} complete={complete} chats={chats} />}
      </td>
    </tr>
  );
}

function Complete({ job, complete, chats }: Pick<RowProps, 'job' | 'complete' | 'chats'>) {
  const button = useHeir<HTMLButtonElement>(() => document.getElementById('job-log'));
  return (
    <button
      ref={button}
      type="button"
      className="button small"
      disabled={complete === undefined}
      onClick={() => complete?.(job)}
      aria-label={`Complete job ${job.number}`}
      title={chats ? `Sends “done ${job.number}” from the window “Job system”` : 'Completes the job, and its creator is told'}
    >
      Complete
    </button>
  );
}

function summary(total: number, jobs: readonly Job[]): string {
  const running = jobs.filter(job => job.state === 'running').length;
  return `${total.toLocaleString()} ${total === 1 ? 'job' : 'jobs'}${running > 0 ? `, ${running} running` : ''}`;
}
