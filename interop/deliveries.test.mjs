// The page at `/#/deliveries` in Chromium: what became of every message, live, and what an operator can do about it.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Page, skip, visitors } from './support/browser.mjs';
import { Deliveries } from './support/deliveries.mjs';
import { Server } from './support/server.mjs';

describe('the deliveries page', { skip }, () => {
  const visit = visitors();
  let server;
  const open = async options => {
    const page = await Page.open(await visit(options), server.url);
    return { ...page, page: page.page, deliveries: new Deliveries(page.page) };
  };
  const notice = number => `Job ${number} is complete.`;
  /** Starts a job as You, completes it as the Job system. */
  const runAndDone = async ({ you, jobSystem }) => {
    const number = await you.run();
    await jobSystem.send(`done ${number}`);
    await jobSystem.shows(`Completing job ${number}.`);
    return number;
  };
  /** Completes a job without a window: the page may show something else meanwhile. */
  const complete = async (page, number) => {
    const response = await page.request.post(`${server.url}/api/v1/jobs/${number}/complete`, { data: {} });
    assert.ok(response.ok(), await response.text());
  };

  before(async () => {
    server = await Server.start();
  });
  after(async () => {
    await server?.stop();
  });

  it('is empty at first, and teaches', async () => {
    const { page, deliveries, complaints } = await open();
    await deliveries.visit();
    await deliveries.section.getByText('Nothing is owed yet.').waitFor();
    await deliveries.section.getByText('Type run on the left, then done 1 on the right.').waitFor();
    await deliveries.section.getByRole('button', { name: 'Go to the chat windows' }).click();
    await page.locator('#you').waitFor();
    assert.deepEqual(complaints, []);
  });

  it('tells what became of a notice, as a timeline', async () => {
    const { page, you, jobSystem, deliveries, complaints } = await open();
    const number = await runAndDone({ you, jobSystem });
    await you.shows(notice(number));

    await deliveries.visit();
    await deliveries.state(notice(number), 'delivered');
    await deliveries.row(notice(number)).getByText('You', { exact: true }).waitFor();
    const id = await deliveries.open(notice(number));
    assert.match(page.url(), new RegExp(`#/deliveries/${id}$`), 'it has an address');
    const steps = await deliveries.steps();
    assert.equal(steps[0], 'Accepted');
    assert.deepEqual(steps.slice(-2), ['Attempt 1', 'Delivered']);
    await deliveries.timeline.getByText('The channel took it').waitFor();
    await deliveries.panel.getByText('The activity as JSON').click();
    await deliveries.panel.locator('pre').getByText(notice(number)).waitFor();

    // The same by its address alone.
    await page.reload();
    await deliveries.timeline.waitFor();
    assert.deepEqual(await deliveries.steps(), steps);
    assert.equal(await page.locator('#you').count(), 0, 'a tab that looks at deliveries takes no conversation');
    assert.deepEqual(complaints, []);
  });

  it('is reached from the job log', async () => {
    const { page, you, jobSystem, deliveries } = await open();
    const number = await runAndDone({ you, jobSystem });
    await page.locator(`#job-log tr[data-job="${number}"]`).getByRole('link', { name: 'Delivered' }).click();
    await deliveries.state(notice(number), 'delivered');
    assert.equal(await deliveries.rows.count(), 1, 'the deliveries of its conversation');
  });

  it('keeps the chat windows as they are meanwhile, and says when they have news', async () => {
    const { page, you, deliveries, ...windows } = await open();
    const number = await you.run();
    const id = await you.conversationId();
    await page.locator('#you .webchat__basic-transcript').evaluate(element => (element.dataset.kept = 'yes'));
    await deliveries.visit();
    assert.equal(await you.section.isVisible(), false);
    await complete(page, number);
    await deliveries.state(notice(number), 'delivered');

    const back = page.getByRole('link', { name: 'Chat (new message)' });
    await back.click();
    await you.bubble(notice(number)).waitFor();
    assert.equal(await page.locator('#you [data-kept="yes"]').count(), 1, 'the same Web Chat');
    assert.equal(await you.conversationId(), id);
    assert.equal(await page.getByRole('link', { name: 'Chat', exact: true }).getAttribute('aria-current'), 'page');
    await windows.jobSystem.send('show');
    await windows.jobSystem.section.locator('table').waitFor();
  });

  it('filters by state, conversation and time, in its address too', async () => {
    const page = await open();
    const { deliveries } = page;
    const number = await runAndDone(page);
    await page.you.shows(notice(number));
    const conversation = await page.you.conversationId();
    await deliveries.visit();
    await deliveries.state(notice(number), 'delivered');

    await deliveries.section.getByRole('combobox', { name: 'State' }).selectOption({ label: 'Given up' });
    await deliveries.section.getByText('Nothing matches.').waitFor();
    assert.match(page.page.url(), /#\/deliveries\?state=dead$/);
    await page.page.goBack();
    await deliveries.row(notice(number)).waitFor();

    const tile = deliveries.section.getByRole('group', { name: 'How many are in which state' }).getByRole('button', { name: 'Delivered' });
    const delivered = tile.filter({ hasText: /^[^a-z]*Delivered/ });
    await delivered.click();
    assert.equal(await delivered.getAttribute('aria-pressed'), 'true');
    await deliveries.section.getByRole('combobox', { name: 'Accepted' }).selectOption({ label: 'Last 15 minutes' });
    await deliveries.section.getByLabel('Conversation', { exact: true }).fill(conversation);
    await page.page.waitForURL(url => url.hash.includes('conversation='));
    await page.page.waitForFunction(() => document.querySelectorAll('#deliveries tr[data-delivery]').length === 1);
    await deliveries.state(notice(number), 'delivered');

    await page.page.reload();
    await deliveries.state(notice(number), 'delivered');
    assert.equal(await deliveries.rows.count(), 1, 'the address has the whole filter');
    await deliveries.section.getByRole('button', { name: 'Clear' }).click();
    assert.match(page.page.url(), /#\/deliveries$/);

    // Between two moments, both long ago.
    await deliveries.section.getByRole('combobox', { name: 'Accepted' }).selectOption({ label: 'Between…' });
    await deliveries.section.getByLabel('To', { exact: true }).fill('2020-01-02T00:00');
    await deliveries.section.getByText('Nothing matches.').waitFor();
    await deliveries.section.getByRole('button', { name: 'Show all deliveries' }).click();
    await deliveries.row(notice(number)).waitFor();
  });

  it('pauses a conversation, which holds its notices back, and lets them go again', async () => {
    const page = await open({ height: 820, deviceScaleFactor: 2 });
    const { deliveries, you } = page;
    const first = await runAndDone(page);
    await you.shows(notice(first));
    const second = await you.run();

    await deliveries.visit();
    await deliveries.state(notice(first), 'delivered');
    await deliveries.open(notice(first));
    await deliveries.panel.getByRole('button', { name: 'Pause conversation' }).click();
    await deliveries.panel.getByText('This conversation is paused').waitFor();
    const paused = deliveries.section.getByRole('region', { name: 'Paused' });
    await paused.getByText('conversation You').waitFor();

    await complete(page.page, second);
    await deliveries.pointElsewhere();
    await deliveries.state(notice(second), 'available');
    await deliveries.row(notice(second)).getByText('paused by an operator').waitFor();
    await deliveries.open(notice(second));
    await deliveries.timeline.getByText('Waits: paused by an operator').waitFor();
    assert.equal(await you.bubble(notice(second)).count(), 0, 'nobody is told yet');

    if (process.env.UPDATE_SCREENSHOTS === '1') {
      const path = fileURLToPath(new URL('../docs/images/deliveries.png', import.meta.url));
      mkdirSync(dirname(path), { recursive: true });
      await deliveries.pointElsewhere();
      await deliveries.section.locator('[data-group="open"]', { hasText: 'the oldest for' }).waitFor();
      await page.page.screenshot({ path, animations: 'disabled', caret: 'hide' });
    }

    await paused.getByRole('button', { name: 'Resume conversation You' }).click();
    await deliveries.state(notice(second), 'delivered');
    await deliveries.timeline.getByText('Delivered', { exact: true }).waitFor();
    assert.ok((await deliveries.steps()).includes('Waited: paused by an operator'), 'the wait stays on record');
    await paused.waitFor({ state: 'detached' });
    await you.shows(notice(second));
  });

  it('cancels what waits, once it is sure', async () => {
    const page = await open();
    const { deliveries, you } = page;
    const number = await you.run();
    await deliveries.visit();
    await deliveries.section.getByRole('button', { name: 'Pause everything' }).click();
    const paused = deliveries.section.getByRole('region', { name: 'Paused' });
    await paused.getByText('everything').waitFor();
    await complete(page.page, number);
    await deliveries.state(notice(number), 'available');
    const id = await deliveries.open(notice(number));

    await deliveries.panel.getByRole('button', { name: 'Cancel', exact: true }).click();
    await deliveries.panel.getByText('It will never be sent.').waitFor();
    await page.page.keyboard.press('Escape');
    assert.equal(await deliveries.panel.count(), 1, 'Esc leaves the question, not the delivery');
    await deliveries.panel.getByRole('button', { name: 'Cancel', exact: true }).click();
    await deliveries.panel.getByRole('button', { name: 'Cancel the delivery' }).click();
    await deliveries.panel.getByRole('status').getByText(`Delivery ${id} is cancelled.`).waitFor();
    await deliveries.state(notice(number), 'cancelled');
    assert.equal(await deliveries.panel.getByRole('button', { name: 'Cancel', exact: true }).count(), 0);

    const resume = paused.getByRole('button', { name: 'Resume everything' });
    await resume.click();
    await resume.waitFor({ state: 'detached' });
  });

  it('says so when something can not be done', async () => {
    const page = await open();
    const { deliveries, you } = page;
    const number = await you.run();
    await deliveries.visit();
    await deliveries.section.getByRole('button', { name: 'Pause everything' }).click();
    await complete(page.page, number);
    await deliveries.state(notice(number), 'available');
    await deliveries.open(notice(number));
    const refusal = { error: { code: 'Conflict', message: 'it was sent meanwhile' } };
    await page.page.route('**/cancel', route => route.fulfill({ status: 409, json: refusal }), { times: 1 });
    await deliveries.panel.getByRole('button', { name: 'Cancel', exact: true }).click();
    await deliveries.panel.getByRole('button', { name: 'Cancel the delivery' }).click();
    await deliveries.panel.getByRole('alert').getByText('It was sent meanwhile.').waitFor();
    await deliveries.section.getByRole('button', { name: 'Resume everything' }).click();
    await deliveries.state(notice(number), 'delivered');
  });

  it('moves no row under the eyes of a reader', async () => {
    const page = await open();
    const { deliveries, you } = page;
    const first = await you.run();
    const second = await you.run();
    await deliveries.visit();
    await complete(page.page, first);
    await deliveries.state(notice(first), 'delivered');
    const row = deliveries.row(notice(first));
    await row.hover();
    const before = await row.boundingBox();
    await complete(page.page, second);
    const fresh = deliveries.section.getByRole('button', { name: 'Show 1 new' });
    await fresh.waitFor();
    assert.deepEqual(await row.boundingBox(), before);
    assert.equal(await deliveries.row(notice(second)).count(), 0);
    await fresh.click();
    await deliveries.row(notice(second)).waitFor();
    assert.equal(await fresh.count(), 0);
  });

  it('goes on when the stream breaks, and asks where there is no stream', async () => {
    const page = await open();
    const { deliveries, you } = page;
    const [first, second] = [await you.run(), await you.run()];
    await page.page.route('**/api/v1/deliveries/events', route => route.abort(), { times: 2 });
    await page.page.getByRole('link', { name: 'Deliveries', exact: true }).click();
    await deliveries.section.locator('[data-feed="lost"]').waitFor();
    await deliveries.live();
    await complete(page.page, first);
    await deliveries.state(notice(first), 'delivered');

    const taken = { error: { code: 'TooManySubscribers', message: 'all event streams are open' } };
    await page.page.route('**/api/v1/deliveries/events', route => route.fulfill({ status: 503, json: taken }));
    await page.page.reload();
    await deliveries.section.locator('[data-feed="polled"]').waitFor();
    await deliveries.state(notice(first), 'delivered');
    await complete(page.page, second);
    await deliveries.state(notice(second), 'delivered');
  });

  it('works by keyboard alone', async () => {
    const page = await open();
    const { deliveries } = page;
    const number = await runAndDone(page);
    await page.you.shows(notice(number));
    const keyboard = page.page.keyboard;
    const focused = () =>
      page.page.evaluate(() => {
        const element = document.activeElement;
        const style = getComputedStyle(element);
        return {
          text: element.getAttribute('aria-label') ?? element.textContent.trim(),
          ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0
        };
      });
    const tabTo = async matches => {
      for (let presses = 0; presses < 60; presses += 1) {
        await keyboard.press('Tab');
        const now = await focused();
        if (matches(now.text)) return now;
      }
      assert.fail('not reached by Tab');
    };

    await page.page.evaluate(() => document.activeElement.blur());
    await page.page.locator('h1').click();
    assert.ok((await tabTo(text => text === 'Deliveries')).ring, 'the focus can be seen');
    await keyboard.press('Enter');
    await deliveries.state(notice(number), 'delivered');
    const id = await deliveries.row(notice(number)).getAttribute('data-delivery');
    assert.ok((await tabTo(text => text === `Delivery ${id}`)).ring);
    await keyboard.press('Enter');
    await deliveries.timeline.waitFor();
    await page.page.waitForFunction(() => document.activeElement.id === 'delivery-title');
    await tabTo(text => text === 'Close this delivery');
    await keyboard.press('Escape');
    await deliveries.panel.waitFor({ state: 'detached' });
    await page.page.waitForFunction(id => document.activeElement.closest('tr')?.dataset.delivery === id, id);

    // The arrow keys go from row to row.
    if ((await deliveries.rows.count()) > 1) {
      await keyboard.press('ArrowDown');
      assert.notEqual((await focused()).text, `Delivery ${id}`);
      await keyboard.press('ArrowUp');
      assert.equal((await focused()).text, `Delivery ${id}`);
    }
  });

  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1280, 400]) {
      it(`fits at ${width} pixels, ${colorScheme}, the list and one delivery`, async () => {
        const page = await open({ width, colorScheme });
        const { deliveries } = page;
        const number = await page.you.run();
        await deliveries.visit();
        await complete(page.page, number);
        await deliveries.state(notice(number), 'delivered');
        const widths = () => page.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        const [list, inner] = await widths();
        assert.equal(list, inner, 'nothing to scroll sideways');

        if (width === 1280) {
          const edges = await deliveries.section.evaluate(section =>
            [...section.querySelectorAll('table tr')].map(row => [...row.cells].map(cell => Math.round(cell.getBoundingClientRect().left)))
          );
          for (const row of edges) assert.deepEqual(row, edges[0], 'cells stand under their heads');
        }
        await deliveries.open(notice(number));
        assert.deepEqual(await widths(), [inner, inner], 'nothing to scroll sideways');
        assert.equal(await deliveries.rows.first().isVisible(), width === 1280, 'on a small screen one of the two');
        await page.page.getByRole('button', { name: 'Close this delivery' }).click();
        await deliveries.row(notice(number)).waitFor();
      });
    }
  }

  it('names everything that can be used, and moves nothing for those who asked for that', async () => {
    const page = await open({ reducedMotion: 'reduce' });
    const { deliveries } = page;
    const number = await page.you.run();
    await deliveries.visit();
    await complete(page.page, number);
    await deliveries.state(notice(number), 'delivered');
    await deliveries.open(notice(number));
    assert.equal(await page.page.title(), 'Deliveries · Tidings');
    assert.equal(await page.page.getByRole('heading', { level: 1 }).count(), 1);
    assert.equal(await page.page.getByRole('main').count(), 1);
    await page.page.getByRole('table', { name: 'Deliveries, newest first' }).waitFor();
    await page.page.getByRole('search', { name: 'Filter the deliveries' }).waitFor();

    const { nameless, twice, moving } = await page.page.evaluate(() => {
      const all = [...document.querySelectorAll('#deliveries :is(button, a[href], input, select, pre[tabindex])')];
      const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
      return {
        nameless: all
          .filter(element => element.checkVisibility())
          .filter(element => !(element.getAttribute('aria-label') || element.labels?.[0]?.textContent || element.textContent.trim()))
          .map(element => element.outerHTML.slice(0, 200)),
        twice: ids.filter((id, index) => ids.indexOf(id) !== index),
        moving: document
          .getAnimations()
          .map(animation => animation.effect.target)
          .filter(target => !target.closest('.chat'))
          .map(target => target.className)
      };
    });
    assert.deepEqual(nameless, []);
    assert.deepEqual(twice, [], 'no id twice');
    assert.deepEqual(moving, []);
    assert.deepEqual(page.complaints, []);
  });
});
