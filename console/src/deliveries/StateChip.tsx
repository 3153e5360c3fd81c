import { describeState } from './states';

/** The state of a delivery, in a word. */
export function StateChip({ state }: { state: string }) {
  const { text, tone, meaning } = describeState(state);
  return (
    <span className="chip" data-tone={tone} data-delivery-state={state} title={meaning || undefined}>
      {text}
    </span>
  );
}
