import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, afterEach, before } from 'node:test';
import { chromium } from 'playwright-core';

import { PATIENCE_MS } from './wait.mjs';

const names = ['chromium', 'chromium-browser', 'google-chrome'];
const elsewhere = ['/Applications/Chromium.app/Contents/MacOS/Chromium', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];

function executable() {
  const named = process.env.CHROMIUM;
  if (named) return named;
  const folders = (process.env.PATH ?? '').split(delimiter);
  return [...names.flatMap(name => folders.map(folder => join(folder, name))), ...elsewhere].find(path => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const path = executable();

/** Why tests in the browser are left out; false where they run. In CI they always run, and fail where there is none. */
export const skip =
  path === undefined && !process.env.CI
    ? 'Chromium is not installed. On Debian: apt-get install chromium; or name one with CHROMIUM=/path/to/chromium'
    : false;

function launch() {
  if (path === undefined) throw new Error('Chromium is not installed, and with CI set these tests are not skipped.');
  return chromium.launch({
    executablePath: path,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync'
    ]
  });
}

/**
 * For a suite with a browser: what makes a visitor, which is a browser context with a storage of its own, in which the page
 * can be opened again and again. Visitors go with their test.
 */
export function visitors() {
  let browser;
  const contexts = [];
  before(async () => {
    browser = await launch();
  });
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
  });
  after(() => browser?.close());
  return async ({ width = 1280, height = 860, colorScheme = 'light', ...options } = {}) => {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, ...options });
    contexts.push(context);
    context.setDefaultTimeout(PATIENCE_MS);
    return context;
  };
}

/** The page at `/`, open, with both windows live. */
export class Page {
  /** What the console and the page itself complained about. */
  complaints = [];

  static async open(context, url) {
    const page = new Page();
    page.page = await context.newPage();
    page.page.on('console', message => {
      if (['error', 'warning'].includes(message.type())) page.complaints.push(`${message.type()}: ${message.text()}`);
    });
    page.page.on('pageerror', error => page.complaints.push(`uncaught: ${error.stack}`));
    page.you = new ChatWindow(page.page, 'you');
    page.jobSystem = new ChatWindow(page.page, 'job-system');
    await page.page.goto(url);
    await page.live();
    return page;
  }

  async live() {
    await this.you.state('live');
    await this.jobSystem.state('live');
  }

  /** The row of a job in the job log. */
  job(number) {
    return this.page.locator(`#job-log tr[data-job="${number}"]`);
  }
}

/** One of the two chat windows. */
export class ChatWindow {
  constructor(page, id) {
    this.section = page.locator(`#${id}`);
    this.box = this.section.getByRole('textbox');
  }

  /** Waits until the window says that its connection is so. */
  async state(name) {
    await this.section.and(this.section.page().locator(`[data-state="${name}"]`)).waitFor({ state: 'attached' });
  }

  async send(text) {
    await this.box.fill(text);
    await this.box.press('Enter');
  }

  /** Bubbles with this text. Web Chat turns straight apostrophes into curly ones. */
  bubble(text) {
    return this.section.locator('.webchat__bubble__content').filter({ hasText: text });
  }

  /** Waits until the window shows a message with this text. It need not be the window in front. */
  async shows(text) {
    await this.bubble(text).last().waitFor({ state: 'attached' });
  }

  /** Sends `run` and returns the number of the job. */
  async run() {
    const answers = this.bubble(/starting job \d+ for you/);
    const before = await answers.count();
    await this.send('run');
    const answer = answers.nth(before);
    await answer.waitFor({ state: 'attached' });
    return Number(/job (\d+)/.exec(await answer.textContent())[1]);
  }

  conversationId() {
    return this.section.locator('[data-conversation-id]').getAttribute('data-conversation-id');
  }
}
