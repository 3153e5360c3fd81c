/** What {@link StreamSocket} needs from the connection it belongs to. */
export interface Stream {
  /** The address of a new stream that begins after everything received so far. Waits until the server can be reached. */
  reopen(): Promise<string>;
  /** The stream is open. */
  opened(): void;
  /** The stream was lost and will be reopened. */
  lost(): void;
  /** The conversation can not be reopened: what `reopen` threw. */
  ended(error: unknown): void;
  /** The watermark of a set of activities that arrived. */
  received(watermark: string): void;
}

/**
 * The WebSocket that DirectLineJS is given. It outlives the real one: when that is lost, it asks for a new stream and goes
 * on, so that DirectLineJS never notices. Left to itself, DirectLineJS waits 3 to 15 seconds before its first attempt and 20
 * before each later one, and does not say that it waits.
 */
export class StreamSocket {
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;

  private socket: WebSocket | undefined;
  private open = false;
  private closed = false;

  constructor(
    url: string,
    private readonly stream: Stream
  ) {
    this.connect(url);
  }

  get readyState(): number {
    if (this.closed) return WebSocket.CLOSED;
    return this.open ? WebSocket.OPEN : WebSocket.CONNECTING;
  }

  send(data: string): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(data);
  }

  close(): void {
    this.closed = true;
    this.socket?.close();
  }

  private connect(url: string): void {
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.onopen = event => {
      this.stream.opened();
      if (this.open) return;
      this.open = true;
      this.onopen?.(event);
    };
    socket.onmessage = event => {
      const watermark = watermarkOf(event.data);
      if (watermark !== undefined) this.stream.received(watermark);
      this.onmessage?.(event);
    };
    // A failed handshake fires `error` and then `close`, a lost connection only `close`.
    socket.onclose = () => {
      if (this.closed || this.socket !== socket) return;
      this.stream.lost();
      this.stream.reopen().then(
        next => {
          if (!this.closed) this.connect(next);
        },
        error => {
          if (!this.closed) this.stream.ended(error);
        }
      );
    };
  }
}

function watermarkOf(data: unknown): string | undefined {
  if (typeof data !== 'string' || data === '') return undefined;
  const watermark: unknown = (JSON.parse(data) as { watermark?: unknown }).watermark;
  return typeof watermark === 'string' ? watermark : undefined;
}
