/** One of the page's two chat windows. */
export interface WindowDescription {
  readonly id: 'you' | 'job-system';
  readonly title: string;
  readonly subtitle: string;
  readonly initial: string;
  readonly placeholder: string;
  /** What an empty conversation says. */
  readonly invitation: string;
}

export type WindowId = WindowDescription['id'];

export const you: WindowDescription = {
  id: 'you',
  title: 'You',
  subtitle: 'asks for the work',
  initial: 'Y',
  placeholder: 'Type run, or show',
  invitation: 'Ask for something that takes time.'
};

export const jobSystem: WindowDescription = {
  id: 'job-system',
  title: 'Job system',
  subtitle: 'says when it is done',
  initial: 'J',
  placeholder: 'Type done and a number',
  invitation: 'Say that a job is done, or see all of them.'
};

/** Where the keyboard goes on in a window: at its text box, or in its bar while there is none. */
export function placeIn(id: WindowId): HTMLElement | null {
  const within = (what: string) => document.querySelector<HTMLElement>(`#${id} ${what}`);
  return within(':is(textarea, input[type="text"])') ?? within('.conversation button:enabled');
}
