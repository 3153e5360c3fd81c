import { describe, expect, it } from 'vitest';

import { EventReader } from './event-reader';

const text = ': hello\n\nevent: jobs\ndata: {"total":1}\n\nevent: jobs\r\ndata: one\r\ndata: two\r\n\r\n:\n\ndata:bare\n\n';
const events = [
  { event: 'jobs', data: '{"total":1}' },
  { event: 'jobs', data: 'one\ntwo' },
  { event: 'message', data: 'bare' }
];

describe('EventReader', () => {
  it('reads events, and leaves comments out', () => {
    expect(new EventReader().push(text)).toEqual(events);
  });

  it('reads the same however the stream is cut', () => {
    for (const size of [1, 2, 3, 7, 20]) {
      const reader = new EventReader();
      const read = [];
      for (let at = 0; at < text.length; at += size) read.push(...reader.push(text.slice(at, at + size)));
      expect(read, `pieces of ${size}`).toEqual(events);
    }
  });

  it('holds back what is not complete', () => {
    const reader = new EventReader();
    expect(reader.push('event: jobs\ndata: half')).toEqual([]);
    expect(reader.push('\n')).toEqual([]);
    expect(reader.push('\n')).toEqual([{ event: 'jobs', data: 'half' }]);
  });
});
