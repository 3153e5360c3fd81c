// kill -9 while both windows are open: everything is still there, and the windows come back by themselves.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Page, skip, visitors } from './support/browser.mjs';
import { generateToken } from './support/direct-line.mjs';
import { Server } from './support/server.mjs';

describe('a restart', { skip }, () => {
  const visit = visitors();
  let server;

  before(async () => {
    server = await Server.start();
  });
  after(async () => {
    await server?.stop();
  });

  it('is survived by jobs, conversations and open windows', async () => {
    const page = await Page.open(await visit(), server.url);
    const conversation = await page.you.conversationId();
    const number = await page.you.run();
    await page.job(number).getByText('Running').waitFor();

    await server.kill();
    await page.you.state('offline');
    await page.jobSystem.state('offline');
    await page.page.getByText('Not up to date: reconnecting').waitFor();
    await server.start();
    await page.live();
    await page.page.getByText('Not up to date: reconnecting').waitFor({ state: 'detached' });
    assert.equal(await page.you.conversationId(), conversation);

    await page.jobSystem.send('show');
    const row = page.jobSystem.section.locator('table tr').filter({ hasText: conversation.split('|')[0] });
    await row.filter({ hasText: 'False' }).waitFor();
    await page.jobSystem.send(`done ${number}`);
    await page.jobSystem.shows(`Completing job ${number}.`);
    await page.you.shows(`Job ${number} is complete.`);
    await page.job(number).getByText('Delivered').waitFor();
    assert.equal(await page.you.bubble(`Job ${number} is complete.`).count(), 1, 'told once');
    assert.equal(await page.you.bubble(`starting job ${number} for you`).count(), 1, 'nothing twice');
  });

  it('keeps what was said to a closed window for when it opens again', async () => {
    const context = await visit();
    const page = await Page.open(context, server.url);
    const number = await page.you.run();
    await page.page.close();

    await complete(number);
    await server.kill();
    await server.start();

    const again = await Page.open(context, server.url);
    await again.you.shows(`Job ${number} is complete.`);
    await again.you.shows(`starting job ${number} for you`);
    assert.equal(await again.you.bubble(`Job ${number} is complete.`).count(), 1);
    assert.deepEqual(again.complaints, []);
  });

  /** Another client of the job system, which has no window. Resolves when the creator's notification was delivered. */
  async function complete(number) {
    const { token, conversationId } = await generateToken(server, { id: 'dl_jobs', name: 'Job system' });
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
    await fetch(`${server.directLine}/conversations`, { method: 'POST', headers });
    const events = await fetch(`${server.url}/api/v1/jobs/events`);
    const posted = await fetch(`${server.directLine}/conversations/${conversationId}/activities`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ type: 'event', name: 'jobComplete', value: number, from: { id: 'dl_jobs' } })
    });
    assert.equal(posted.status, 200, await posted.text());
    let text = '';
    for await (const chunk of events.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const pages = [...text.matchAll(/^data: ?(.*)$/gm)].map(([, json]) => parse(json)).filter(Boolean);
      if (pages.some(({ jobs }) => jobs.some(job => job.number === number && job.notice === 'delivered'))) return;
    }
    assert.fail(`the events ended before job ${number} was delivered`);
  }
});

/** A line that has not arrived whole is not JSON yet. */
function parse(json) {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
