import { useState, type ReactNode } from 'react';

import type { Access } from '../access/use-access';
import { JobLog } from '../jobs/JobLog';
import type { Job } from '../jobs/job';
import type { Jobs } from '../jobs/use-jobs';
import { ApiRefusal, call, sentence } from '../server/api';

interface Props {
  readonly jobs: Jobs;
  readonly access: Access;
  /** The head of the page. */
  readonly top: ReactNode;
}

/** The job log of a server whose conversations are all elsewhere. */
export function LogOnly({ jobs, access, top }: Props) {
  const [problem, setProblem] = useState<string | undefined>();

  const complete = async ({ number }: Job) => {
    setProblem(undefined);
    try {
      await call(`/jobs/${number}/complete`, { key: access.key, body: {}, signal: AbortSignal.timeout(20_000) });
    } catch (error) {
      if (error instanceof ApiRefusal && error.status === 401) return access.refuse(error);
      setProblem(
        error instanceof ApiRefusal
          ? `Job ${number} was not completed: ${sentence(error.message)}`
          : `Job ${number}: the server does not answer. Whether it was completed, the log says.`
      );
    }
  };

  return (
    <>
      {top}
      <main>
        <p className="without-windows">
          There are no chat windows here: this server’s local channel is off, and the bot speaks in real channels. Jobs
          that are started there appear below.
        </p>
        <div role="alert" className="problem-region">
          {problem && <p className="problem">{problem}</p>}
        </div>
        <JobLog jobs={jobs} nameOf={() => undefined} complete={job => void complete(job)} chats={false} />
      </main>
    </>
  );
}
