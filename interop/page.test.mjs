// The page at `/` in Chromium: the guide's test with two windows, by mouse and by keyboard, wide and narrow, light and dark.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Page, skip, visitors } from './support/browser.mjs';
import { Server } from './support/server.mjs';

describe('the page', { skip }, () => {
  const visit = visitors();
  let server;
  const open = async options => Page.open(await visit(options), server.url);

  before(async () => {
    server = await Server.start();
  });
  after(async () => {
    await server?.stop();
  });

  it('is empty at first, and says what to do', async () => {
    const { page, you, complaints } = await open();
    await page.getByText('No jobs yet.').waitFor();
    await page.getByRole('region', { name: 'Getting started' }).waitFor();
    await you.section.getByRole('button', { name: 'Send run' }).click();
    await you.shows(/starting job \d+ for you/);
    await page.getByText('No jobs yet.').waitFor({ state: 'detached' });
    assert.deepEqual(complaints, []);
  });

  it('plays the guide: run on the left, done on the right, the left is told', async () => {
    const page = await open({ height: 820, deviceScaleFactor: 2 });
    const [yours, systems] = [await page.you.conversationId(), await page.jobSystem.conversationId()];
    assert.notEqual(yours, systems, 'each window has a conversation of its own');

    const number = await page.you.run();
    await page.job(number).getByText('Running').waitFor();
    await page.jobSystem.send('show');
    await page.jobSystem.section.locator('table').waitFor();
    const table = await page.jobSystem.section.locator('table').last().evaluate(element => ({
      heads: [...element.querySelectorAll('th')].map(cell => cell.textContent.trim()),
      rows: [...element.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent.trim()))
    }));
    assert.deepEqual(table.heads, ['Job number', 'Conversation ID', 'Completed']);
    const row = table.rows.find(([first]) => first === String(number));
    assert.deepEqual(row, [String(number), yours.split('|')[0], 'False']);

    await page.jobSystem.send(`done ${number}`);
    await page.jobSystem.shows(`Completing job ${number}.`);
    await page.you.shows(`Job ${number} is complete.`);
    assert.equal(await page.jobSystem.bubble(`Job ${number} is complete.`).count(), 0, 'only the creator is told');
    await page.job(number).getByText('Complete', { exact: true }).waitFor();
    await page.job(number).getByText('Delivered').waitFor();
    assert.deepEqual(page.complaints, []);

    if (process.env.UPDATE_SCREENSHOTS === '1') {
      const path = fileURLToPath(new URL('../docs/images/two-windows.png', import.meta.url));
      mkdirSync(dirname(path), { recursive: true });
      await page.page.screenshot({ path, animations: 'disabled', caret: 'hide' });
    }
  });

  it('completes a job from the job log', async () => {
    const page = await open();
    const number = await page.you.run();
    await page.page.getByRole('button', { name: `Complete job ${number}`, exact: true }).click();
    await page.jobSystem.shows(`done ${number}`);
    await page.you.shows(`Job ${number} is complete.`);
  });

  it('shows the whole conversation again after a reload', async () => {
    const page = await open();
    const id = await page.you.conversationId();
    const number = await page.you.run();
    await page.page.reload();
    await page.live();
    assert.equal(await page.you.conversationId(), id);
    await page.you.shows(`starting job ${number} for you`);
    assert.equal(await page.you.bubble(`starting job ${number} for you`).count(), 1);
    assert.deepEqual(page.complaints, []);
  });

  it('begins a new conversation, and goes back to the earlier one', async () => {
    const page = await open();
    const id = await page.you.conversationId();
    const number = await page.you.run();
    const bar = page.you.section;
    await bar.getByRole('button', { name: 'New conversation for You' }).click();
    await bar.getByText('This is a new conversation.').waitFor();
    await page.you.state('live');
    assert.notEqual(await page.you.conversationId(), id);
    await bar.getByRole('button', { name: 'Go back to the earlier one' }).click();
    await page.you.shows(`starting job ${number} for you`);
    assert.equal(await page.you.conversationId(), id);
  });

  it('begins anew when the server does not know the stored conversation', async () => {
    const page = await open();
    await page.page.evaluate(() => {
      const key = 'tidings.console.session.you';
      const session = JSON.parse(localStorage.getItem(key));
      localStorage.setItem(key, JSON.stringify({ ...session, conversationId: 'of another database', token: 'old' }));
    });
    await page.page.reload();
    await page.you.section.getByText('so this is a new one.').waitFor();
    await page.live();
    await page.you.run();
  });

  it('takes up its conversation with a token that is no longer good', async () => {
    const page = await open();
    const id = await page.you.conversationId();
    const number = await page.you.run();
    await page.page.evaluate(() => {
      const key = 'tidings.console.session.you';
      localStorage.setItem(key, JSON.stringify({ ...JSON.parse(localStorage.getItem(key)), token: 'of last week' }));
    });
    await page.page.reload();
    await page.live();
    await page.you.shows(`starting job ${number} for you`);
    assert.equal(await page.you.conversationId(), id);
    await page.you.run();
  });

  it('recovers when its token is refused while it is open', async () => {
    const page = await open();
    const number = await page.you.run();
    const expired = { error: { code: 'TokenExpired', message: 'Token has expired' } };
    await page.page.route('**/activities', route => route.fulfill({ status: 403, json: expired }), { times: 1 });
    const reopened = page.page.waitForRequest(request => /conversations\/[^/]+\?watermark=$/.test(request.url()));
    await page.you.send('show');
    await reopened;
    await page.live();
    await page.you.shows(`starting job ${number} for you`);
    await page.you.run();
  });

  it('says so when the server will not start a conversation, and tries again when asked', async () => {
    const context = await visit();
    const page = await context.newPage();
    const refusal = { error: { code: 'Unauthorized', message: 'A Direct Line secret is needed' } };
    await page.route('**/tokens/generate', route => route.fulfill({ status: 401, json: refusal }), { times: 2 });
    await page.goto(server.url);
    for (const id of ['you', 'job-system']) {
      const window = page.locator(`#${id}`);
      await window.getByText('A Direct Line secret is needed').waitFor();
      await window.getByRole('button', { name: 'Try again' }).click();
      await page.locator(`#${id}[data-state="live"]`).waitFor();
    }
  });

  it('sends files, and shows the pictures among them', async () => {
    const page = await open();
    await page.you.section
      .locator('input[type="file"]')
      .setInputFiles({ name: 'tide.png', mimeType: 'image/png', buffer: Buffer.from(png, 'base64') });
    // Web Chat takes a moment to take the file up; what is sent before that goes without it.
    await page.you.section.locator('.webchat__attachment-icon--checked').waitFor();
    await page.you.send('a picture');
    await page.you.shows('a picture');
    const picture = page.you.section.getByRole('img', { name: 'tide.png' });
    await picture.first().waitFor();
    await page.page.reload();
    await page.live();
    await page.you.shows('a picture');
    await picture.first().waitFor();
    await picture.first().evaluate(image => image.decode());
    assert.deepEqual(page.complaints, []);
  });

  it('can be opened as localhost too', async () => {
    const context = await visit();
    const page = await Page.open(context, server.url.replace('127.0.0.1', 'localhost'));
    await page.you.run();

    // A picture from the bot has an address of its own, at 127.0.0.1.
    const conversation = `${server.url}/v3/conversations/${await page.you.conversationId()}`;
    const post = async (path, data) => (await context.request.post(`${conversation}${path}`, { data })).json();
    const { id } = await post('/attachments', { name: 'tide.png', type: 'image/png', originalBase64: png });
    const contentUrl = `${server.url}/v3/attachments/${id}/views/original`;
    await post('/activities', {
      type: 'message',
      attachments: [{ contentType: 'image/png', contentUrl, name: 'tide from the bot' }]
    });
    const picture = page.you.section.getByRole('img', { name: 'tide from the bot' });
    await picture.waitFor();
    await picture.evaluate(image => image.decode());
    assert.deepEqual(page.complaints, []);
  });

  it('has its conversations in one tab at a time', async () => {
    const first = await open();
    const number = await first.you.run();
    const tab = await first.page.context().newPage();
    await tab.goto(server.url);
    await tab.locator('#you[data-state="paused"]').waitFor();
    await tab.locator('#you').getByRole('button', { name: 'Use it here' }).click();
    await tab.locator('#you[data-state="live"]').waitFor();
    await tab.locator('#you').getByText(`starting job ${number} for you`).first().waitFor();
    await first.you.state('paused');
  });

  it('works by keyboard alone', async () => {
    const { page, you, jobSystem } = await open();
    await page.keyboard.press('Tab');
    const first = await focused(page);
    assert.match(first.text, /^Skip to the window .You.$/);
    assert.ok(first.ring, 'the focus can be seen');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement.matches('#you :is(textarea, input)'));
    await page.keyboard.type('run');
    await page.keyboard.press('Enter');
    await you.shows(/starting job \d+ for you/);
    assert.equal((await focused(page)).place, 'you', 'the focus stays where the message was sent');
    const number = /job (\d+)/.exec(await you.bubble(/starting job \d+ for you/).textContent())[1];

    // On to the other window, in the order of reading, and no further than it is.
    const places = [];
    for (let presses = 0; presses < 40; presses += 1) {
      await page.keyboard.press('Tab');
      const now = await focused(page);
      places.push(now.place);
      if (now.place === 'job-system' && now.textbox) break;
    }
    assert.equal(places.at(-1), 'job-system', `the right window's box is reached: ${places.join(' > ')}`);
    assert.deepEqual([...new Set(places)], [...new Set(places)].sort((a, b) => order(a) - order(b)), 'in the order of reading');
    await page.keyboard.type(`done ${number}`);
    await page.keyboard.press('Enter');
    await jobSystem.shows(`Completing job ${number}.`);
    await you.shows(`Job ${number} is complete.`);
  });

  it('leaves the focus with what takes the place of what had it', async () => {
    const { page, you, jobSystem } = await open();
    const first = await you.run();
    const offered = number => jobSystem.section.getByRole('button', { name: `Send done ${number}`, exact: true });
    await offered(first).focus();
    // Somebody else starts a job, and it is offered in place of the first.
    const second = await (await open()).you.run();
    await offered(second).waitFor();
    assert.equal((await focused(page)).text, `Send done ${second}`);

    await page.keyboard.press('Enter');
    await jobSystem.shows(`Completing job ${second}.`);
    const after = await focused(page);
    assert.deepEqual([after.place, after.textbox], ['job-system', true], 'the offers are gone, the box is there');

    const complete = page.getByRole('button', { name: `Complete job ${first}`, exact: true });
    await complete.focus();
    await page.keyboard.press('Enter');
    await you.shows(`Job ${first} is complete.`);
    await complete.waitFor({ state: 'detached' });
    assert.equal((await focused(page)).place, 'job-log');

    const hint = page.getByRole('button', { name: 'Close this hint' });
    await hint.focus();
    await page.keyboard.press('Enter');
    await hint.waitFor({ state: 'detached' });
    assert.deepEqual([(await focused(page)).place, (await focused(page)).textbox], ['you', true]);
  });

  it('reaches the job log by its skip link, and completes a job with the keyboard', async () => {
    const { page, you } = await open();
    const number = await you.run();
    const button = page.getByRole('button', { name: `Complete job ${number}`, exact: true });
    await button.waitFor();
    await page.getByRole('link', { name: 'Skip to the job log' }).focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement.id === 'job-log');
    for (let presses = 0; presses < 40 && !(await button.evaluate(element => element === document.activeElement)); presses += 1) {
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await you.shows(`Job ${number} is complete.`);
  });

  it('has one window at a time on a small screen, and says when the other one has news', async () => {
    const page = await open({ width: 400, height: 860 });
    const number = await page.you.run();
    const tabs = page.page.getByRole('tablist', { name: 'Chat windows' });
    assert.equal(await page.jobSystem.section.isVisible(), false);
    await tabs.getByRole('tab', { name: 'Job system' }).click();
    await page.jobSystem.send(`done ${number}`);
    await page.jobSystem.shows(`Completing job ${number}.`);
    const withNews = tabs.getByRole('tab', { name: 'You (new message)' });
    await withNews.waitFor();
    assert.equal(await page.you.section.isVisible(), false);
    // Arrow keys move between tabs.
    await tabs.getByRole('tab', { name: 'Job system' }).press('ArrowLeft');
    await page.you.bubble(`Job ${number} is complete.`).waitFor();
    assert.equal(await withNews.count(), 0);
    assert.deepEqual(page.complaints, []);
  });

  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1280, 800, 400]) {
      it(`fits and reads at ${width} pixels, ${colorScheme}`, async () => {
        const page = await open({ width, colorScheme });
        const number = await page.you.run();
        await page.job(number).waitFor();
        const widths = await page.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.equal(widths[0], widths[1], 'nothing to scroll sideways');

        const background = await page.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const [red] = /\d+/.exec(background);
        assert.equal(Number(red) < 128, colorScheme === 'dark', `the background follows the scheme: ${background}`);

        await page.you.send('show');
        const table = page.you.section.locator('table').last();
        await table.waitFor();
        const [whole, seen] = await table.evaluate(table => [table.scrollWidth, table.clientWidth]);
        assert.ok(whole <= seen, `all columns of the job log are in sight: ${whole} of ${seen}`);

        const low = await page.page.evaluate(lowContrast);
        assert.deepEqual(low, [], 'text stands out from what is behind it, at least 4.5 to 1');
      });
    }
  }

  it('names everything that can be used, and has one heading of each kind', async () => {
    const { page, you } = await open();
    const number = await you.run();
    await page.getByRole('button', { name: `Complete job ${number}`, exact: true }).waitFor();
    assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1);
    for (const name of ['You', 'Job system', 'Job log']) await page.getByRole('region', { name, exact: true }).waitFor();
    await page.getByRole('main').waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'en');

    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll('button, a[href], input:not([type="file"]), textarea, [role="tab"]')]
        .filter(element => element.checkVisibility())
        .filter(element => {
          const labelled = element.getAttribute('aria-labelledby');
          const name =
            element.getAttribute('aria-label') ||
            (labelled && document.getElementById(labelled)?.textContent) ||
            element.labels?.[0]?.textContent ||
            element.textContent.trim() ||
            element.getAttribute('title') ||
            element.getAttribute('placeholder');
          return !name;
        })
        .map(element => element.outerHTML.slice(0, 200))
    );
    assert.deepEqual(nameless, []);
    const ids = await page.evaluate(() => [...document.querySelectorAll('[id]')].map(element => element.id));
    assert.deepEqual(ids.filter((id, index) => ids.indexOf(id) !== index), [], 'no id twice');
  });

  it('moves nothing for those who asked for that', async () => {
    const { page } = await open({ reducedMotion: 'reduce' });
    const moving = await page.evaluate(() =>
      document
        .getAnimations()
        .map(animation => animation.effect.target)
        .filter(target => !target.closest('.chat'))
        .map(target => target.className)
    );
    assert.deepEqual(moving, []);
  });

  it('loads nothing from anywhere else, and keeps to its content security policy', async () => {
    const context = await visit();
    const hosts = new Set();
    context.on('request', request => hosts.add(new URL(request.url()).host));
    const page = await Page.open(context, server.url);
    const number = await page.you.run();
    await page.jobSystem.send(`done ${number}`);
    await page.you.shows(`Job ${number} is complete.`);
    hosts.delete('');
    assert.deepEqual([...hosts], [new URL(server.url).host]);
    const response = await context.request.get(server.url);
    assert.match(response.headers()['content-security-policy'] ?? '', /default-src 'none'/);
    assert.deepEqual(page.complaints, []);
  });
});

/** A picture of 8 by 8 pixels. */
const png = 'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFUlEQVQI12Pkzk5kwAaYGHCAwSkBAKz8AOeLT6xAAAAAAElFTkSuQmCC';

/** Where the focus is, and what it is on. */
function focused(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    return {
      text: element.getAttribute('aria-label') ?? element.textContent.trim(),
      place: element.closest('#you, #job-system, #job-log, nav, .hint')?.id ?? '',
      textbox: element.matches('textarea, input[type="text"]'),
      ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0
    };
  });
}

function order(place) {
  return ['', 'you', 'job-system', 'job-log'].indexOf(place);
}

/** Runs in the page: pairs of our colours that are text and its background, where they are too close. */
function lowContrast() {
  const style = getComputedStyle(document.documentElement);
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d');
  const luminance = name => {
    canvas.fillStyle = style.getPropertyValue(name);
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map(value => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const pairs = [
    ['--ink', '--paper'],
    ['--ink', '--surface'],
    ['--ink', '--accent-soft'],
    ['--ink', '--bubble'],
    ['--ink-soft', '--paper'],
    ['--ink-soft', '--surface'],
    ['--ink-soft', '--raised'],
    ['--ink-soft', '--pressed'],
    ['--ink-soft', '--hover'],
    ['--ink-soft', '--good-soft'],
    ['--ink-soft', '--busy-soft'],
    ['--ink-soft', '--bad-soft'],
    ['--accent', '--raised'],
    ['--accent', '--hover'],
    ['--ink-soft', '--accent-soft'],
    ['--accent', '--surface'],
    ['--accent', '--accent-soft'],
    ['--accent-ink', '--accent'],
    ['--accent-ink', '--you'],
    ['--accent-ink', '--job-system'],
    ['--bubble-own-ink', '--bubble-own'],
    ['--good', '--good-soft'],
    ['--busy', '--busy-soft'],
    ['--busy', '--surface'],
    ['--bad', '--bad-soft'],
    ['--bad', '--surface']
  ];
  return pairs.flatMap(([text, behind]) => {
    const [one, other] = [luminance(text), luminance(behind)].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    return ratio < 4.5 ? [`${text} on ${behind}: ${ratio.toFixed(2)}`] : [];
  });
}
