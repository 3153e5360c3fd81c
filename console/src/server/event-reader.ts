/** An event of a `text/event-stream`. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/**
 * Takes a `text/event-stream` apart, however it was cut into pieces. EventSource would do it, but sends no key.
 *
 * Only what the server uses: `event` and `data` lines, comments, any of the three line ends.
 */
export class EventReader {
  #rest = '';

  /** The events that this piece completes. */
  push(text: string): ServerEvent[] {
    // A line end may be cut in two: its second half waits for the next piece.
    const all = this.#rest + text;
    const held = all.endsWith('\r') ? '\r' : '';
    const blocks = all.slice(0, all.length - held.length).replace(/\r\n?/g, '\n').split('\n\n');
    this.#rest = (blocks.pop() ?? '') + held;
    return blocks.map(readBlock).filter(event => event !== undefined);
  }
}

function readBlock(block: string): ServerEvent | undefined {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') event = value;
    else if (name === 'data') data.push(value);
  }
  return data.length === 0 ? undefined : { event, data: data.join('\n') };
}
