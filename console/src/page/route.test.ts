import { describe, expect, it } from 'vitest';

import { everything } from '../deliveries/filter';
import { deliveriesHref, readRoute } from './route';

describe('readRoute', () => {
  it('shows the desk unless it is told otherwise', () => {
    for (const hash of ['', '#', '#/', '#job-log', '#/delivery', '#/deliveriesx', '#/deliveries/seven', '#/deliveries/1/2']) {
      expect(readRoute(hash), hash).toEqual({ view: 'desk' });
    }
  });

  it('reads what deliveriesHref wrote', () => {
    const places = [
      { filter: everything, before: undefined, open: undefined },
      { filter: everything, before: undefined, open: 7 },
      { filter: { states: ['dead', 'unknown'], conversation: '19:a?b&c#d' }, before: '120', open: 7 }
    ];
    for (const place of places) expect(readRoute(deliveriesHref(place))).toEqual({ view: 'deliveries', ...place });
  });

  it('leaves out a page that is none', () => {
    expect(readRoute('#/deliveries?before=yesterday')).toMatchObject({ view: 'deliveries', before: undefined });
  });
});
