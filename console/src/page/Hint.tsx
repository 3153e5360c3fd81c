import type { ReactNode } from 'react';

import { CheckIcon, CloseIcon } from './icons';
import { useHeir } from './use-heir';

interface Props {
  /** How far the person is: 0 nothing yet, 1 a job is started, 2 it was completed. */
  readonly step: 0 | 1 | 2;
  /** The number of the job that was started. */
  readonly job: number | undefined;
  readonly dismiss: () => void;
  /** Where the keyboard goes on when the hint is closed. */
  readonly heir: () => HTMLElement | null;
}

/** What to do on a first visit. It follows along, and leaves when it has been done. */
export function Hint({ step, job, dismiss, heir }: Props) {
  const close = useHeir<HTMLButtonElement>(heir);
  const done = `done ${job ?? '<number>'}`;
  return (
    <section className="hint" aria-label="Getting started">
      <ol>
        <Step number={1} reached={step >= 1} current={step === 0}>
          As <b>You</b>, type <kbd>run</kbd> to start a job.
        </Step>
        <Step number={2} reached={step >= 2} current={step === 1}>
          As the <b>Job system</b>, type <kbd>{done}</kbd>.
        </Step>
        <Step number={3} reached={step >= 2} current={false}>
          The bot speaks first: <b>You</b> are told.
        </Step>
      </ol>
      <button ref={close} type="button" className="icon-button" onClick={dismiss} aria-label="Close this hint" title="Close this hint">
        <CloseIcon />
      </button>
    </section>
  );
}

function Step({ number, reached, current, children }: { number: number; reached: boolean; current: boolean; children: ReactNode }) {
  return (
    <li data-reached={reached} aria-current={current ? 'step' : undefined}>
      <span className="step-number" aria-hidden="true">
        {reached ? <CheckIcon /> : number}
      </span>
      <span>
        {children}
        {reached && <span className="visually-hidden"> (done)</span>}
      </span>
    </li>
  );
}
