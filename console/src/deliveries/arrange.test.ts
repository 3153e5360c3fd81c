import { describe, expect, it } from 'vitest';

import { arrange } from './arrange';
import { throttled } from './recorded/recorded';

const row = (id: number, state = 'available') => ({ ...throttled, id, state });
const told = (arrangement: ReturnType<typeof arrange>) => ({
  rows: arrangement.rows.map(({ id, state }) => `${id} ${state}`),
  fresh: arrangement.fresh,
  left: [...arrangement.left]
});

describe('arrange', () => {
  it('shows the latest while nobody is reading', () => {
    expect(told(arrange([row(1)], [row(3), row(2)], false))).toEqual({
      rows: ['3 available', '2 available'],
      fresh: 0,
      left: []
    });
  });

  it('moves nothing under the eyes of a reader, and changes rows in place', () => {
    const arrangement = arrange([row(2), row(1)], [row(4), row(3), row(2, 'delivered'), row(1)], true);
    expect(told(arrangement)).toEqual({ rows: ['2 delivered', '1 available'], fresh: 2, left: [] });
  });

  it('keeps rows that were pushed off the page as they were', () => {
    expect(told(arrange([row(2), row(1)], [row(4), row(3)], true))).toEqual({
      rows: ['2 available', '1 available'],
      fresh: 2,
      left: []
    });
  });

  it('marks rows that no longer match, and counts those that now do', () => {
    expect(told(arrange([row(5), row(3), row(1)], [row(5), row(2), row(1)], true))).toEqual({
      rows: ['5 available', '3 available', '1 available'],
      fresh: 1,
      left: [3]
    });
  });

  it('has nothing to keep at first', () => {
    expect(told(arrange([], [row(1)], true)).rows).toEqual(['1 available']);
  });
});
