import { createRequire } from 'node:module';
import { WebSocket } from 'ws';

import { within } from './wait.mjs';
import { XMLHttpRequest } from './xml-http-request.mjs';

// DirectLineJS is written for browsers and looks for these where a browser has them.
globalThis.WebSocket = WebSocket;
globalThis.XMLHttpRequest = XMLHttpRequest;

const require = createRequire(import.meta.url);
export const { DirectLine, ConnectionStatus } = require('botframework-directlinejs');
/** The scheduler of the RxJS that DirectLineJS uses. */
export const { async: asyncScheduler } = require('rxjs/scheduler/async');

/** POST /tokens/generate, as a page's own backend would. */
export async function generateToken(server, user = { id: 'dl_interop', name: 'Interop' }) {
  const response = await fetch(`${server.directLine}/tokens/generate`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ user })
  });
  if (response.status !== 200) throw new Error(`tokens/generate answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/** DirectLineJS, and everything it was told so far. */
export class Client {
  activities = [];
  states = [];
  #server;
  #waiting = new Set();
  #subscriptions;

  constructor(server, options) {
    this.#server = server;
    this.directLine = new DirectLine({ domain: server.directLine, ...options });
    this.#subscriptions = [
      this.directLine.connectionStatus$.subscribe(state => {
        this.states.push(ConnectionStatus[state]);
        this.#look();
      }),
      this.directLine.activity$.subscribe({
        next: activity => {
          this.activities.push(activity);
          this.#look();
        },
        // The end of a conversation that was refused; `states` says so too.
        error: () => undefined
      })
    ];
  }

  /** Sends a message. Resolves to the id that the server gave it. */
  post(text, more = {}) {
    const activity = { type: 'message', from: { id: 'dl_interop' }, text, ...more };
    return within(`the answer to posting "${text}"`, this.directLine.postActivity(activity).toPromise(), {
      details: this.#server.log
    });
  }

  /** The first message the bot says, or has said, that contains the text. */
  said(text) {
    const from = activity => activity.type === 'message' && activity.from.role === 'bot';
    return this.activity(`the bot to say "${text}"`, activity => from(activity) && activity.text.includes(text));
  }

  activity(what, matches) {
    return this.#until(what, () => this.activities.find(matches));
  }

  state(name) {
    return this.#until(`the connection to be ${name}`, () => this.states.includes(name));
  }

  /** Lets go without telling anyone, as a closed tab does. */
  close() {
    this.#subscriptions.forEach(subscription => subscription.unsubscribe());
    this.directLine.tokenRefreshSubscription?.unsubscribe();
  }

  #look() {
    for (const look of this.#waiting) look();
  }

  #until(what, find) {
    const found = new Promise(resolve => {
      const look = () => {
        const value = find();
        if (!value) return;
        this.#waiting.delete(look);
        resolve(value);
      };
      this.#waiting.add(look);
      look();
    });
    const heard = () => JSON.stringify(this.activities.map(({ id, type, from, text }) => ({ id, type, from: from?.role, text })));
    return within(what, found, {
      details: () => `It had: states ${this.states.join(', ')}; activities ${heard()}\n${this.#server.log()}`
    });
  }
}
