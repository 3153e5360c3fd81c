/** One of the page's two chat windows. */
export interface WindowDescription {
  readonly id: 'you' | 'job-system';
  readonly title: string;
  readonly subtitle: string;
  readonly initial: string;
  readonly placeholder: string;
  /** What an empty conversation says, and what can be sent from there at once. */
  readonly invitation: string;
  readonly suggestions: readonly string[];
}

export type WindowId = WindowDescription['id'];

export const you: WindowDescription = {
  id: 'you',
  title: 'You',
  subtitle: 'ask for something that takes time',
  initial: 'Y',
  placeholder: 'Type run, or show',
  invitation: 'Ask for something that takes time.',
  suggestions: ['run', 'show']
};

export const jobSystem: WindowDescription = {
  id: 'job-system',
  title: 'Job system',
  subtitle: 'says when the work is done',
  initial: 'J',
  placeholder: 'Type done 1, or show',
  invitation: 'Say that a job is done, or see all of them.',
  suggestions: ['show']
};
