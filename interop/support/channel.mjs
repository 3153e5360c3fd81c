import { listen } from './loopback.mjs';
import { within } from './wait.mjs';

/** A channel: takes what the bot sends, and remembers with which Authorization header it came. */
export class Channel {
  replies = [];
  #server;
  #waiting = new Set();

  static async start() {
    const channel = new Channel();
    channel.#server = await listen((request, body) => channel.#take(request, body));
    return channel;
  }

  get host() {
    return this.#server.host;
  }

  /** As activities name it. */
  get serviceUrl() {
    return `http://${this.host}/channel`;
  }

  close() {
    return this.#server.close();
  }

  in(conversation) {
    return this.replies.filter(reply => reply.conversation === conversation);
  }

  /** The first reply in a conversation whose activity is as asked, once it is there. */
  reply(conversation, details, matches = () => true) {
    const found = new Promise(resolve => {
      const look = () => {
        const reply = this.in(conversation).find(({ activity }) => matches(activity));
        if (!reply) return;
        this.#waiting.delete(look);
        resolve(reply);
      };
      this.#waiting.add(look);
      look();
    });
    return within(`a reply in ${conversation}`, found, { details });
  }

  #take(request, body) {
    const path = /^\/channel\/v3\/conversations\/([^/]+)\/activities(\/[^/]+)?$/i.exec(request.url);
    if (request.method !== 'POST' || !path) return [404, { error: { code: 'NotFound', message: request.url } }];
    this.replies.push({
      conversation: decodeURIComponent(path[1]),
      authorization: request.headers.authorization,
      activity: JSON.parse(body)
    });
    for (const look of this.#waiting) look();
    return [200, { id: `r${this.replies.length}` }];
  }
}
