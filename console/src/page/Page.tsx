import { SignIn } from '../access/SignIn';
import { useAccess } from '../access/use-access';
import { useJobs } from '../jobs/use-jobs';
import { useServer } from '../server/use-server';
import { Desk } from './Desk';
import { LogOnly } from './LogOnly';
import { Top } from './Top';

/**
 * The page at `/`. What it shows depends on the server: with a local channel the two chat windows and the job log,
 * without one the log alone, and before either a form where the server asks for a key.
 */
export function Page() {
  const server = useServer();
  const access = useAccess();
  const signedOut = access.refused || (server?.authenticated === true && access.key === undefined);
  const jobs = useJobs(access, server !== undefined && !signedOut);
  const signOut = access.key === undefined ? undefined : access.signOut;

  if (server === undefined) {
    return (
      <>
        <Top />
        <main aria-busy="true" />
      </>
    );
  }
  if (signedOut) {
    return (
      <>
        <Top />
        <main>
          <SignIn access={access} />
        </main>
      </>
    );
  }
  return server.localChannel ? (
    <Desk jobs={jobs} signOut={signOut} />
  ) : (
    <LogOnly jobs={jobs} access={access} signOut={signOut} />
  );
}
