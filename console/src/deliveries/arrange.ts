import type { Delivery } from './delivery';

/** What the list shows. */
export interface Arrangement {
  readonly rows: readonly Delivery[];
  /** How many newer ones are kept out. */
  readonly fresh: number;
  /** Those that are shown although they no longer belong here. */
  readonly left: ReadonlySet<number>;
}

/**
 * The rows to draw. While somebody is reading, the rows stay where they are: those that are shown change in place, and
 * what is new is only counted.
 */
export function arrange(shown: readonly Delivery[], latest: readonly Delivery[], reading: boolean): Arrangement {
  const last = shown.at(-1);
  if (!reading || last === undefined) return { rows: latest, fresh: 0, left: new Set() };
  const known = new Map(latest.map(delivery => [delivery.id, delivery]));
  const ids = new Set(shown.map(({ id }) => id));
  const oldest = latest.at(-1)?.id ?? 0;
  return {
    rows: shown.map(delivery => known.get(delivery.id) ?? delivery),
    fresh: latest.filter(({ id }) => id > last.id && !ids.has(id)).length,
    // One older than all of the latest may only have been pushed off the page.
    left: new Set([...ids].filter(id => id > oldest && !known.has(id)))
  };
}
