import type { ReactNode } from 'react';

interface Props {
  readonly title: string;
  readonly children: ReactNode;
  /** A way on: what its button says, and does. */
  readonly action?: string;
  readonly act?: () => void;
}

/** Stands where there is nothing to show: says so, and what to do. */
export function Empty({ title, children, action, act }: Props) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      <p>{children}</p>
      {action && (
        <button type="button" className="button" onClick={act}>
          {action}
        </button>
      )}
    </div>
  );
}
