// The page of a server with an app id, in Chromium: it asks for an API key, and shows the job log to whoever has one.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { skip, visitors } from './support/browser.mjs';
import { Channel } from './support/channel.mjs';
import { Deliveries } from './support/deliveries.mjs';
import { CHANNEL_ISSUER, IdentityProvider } from './support/identity-provider.mjs';
import { Server } from './support/server.mjs';

const APP = '6f1c7e2a-0d53-4b0e-9d6f-1c5b2b6f8a10';
const SECRET = 'a client secret';

describe('the page of a server with an app id', { skip }, () => {
  const visit = visitors();
  let provider;
  let channel;
  let server;
  let first;

  before(async () => {
    provider = await IdentityProvider.start({ appId: APP, secret: SECRET, tenants: ['botframework.com'] });
    channel = await Channel.start();
    server = await Server.prepare({
      env: {
        MicrosoftAppId: APP,
        MicrosoftAppPassword: SECRET,
        ...provider.settings,
        TIDINGS_ALLOWED_SERVICE_HOSTS: channel.host,
        TIDINGS_SLOW_TURN_AFTER: '14s'
      }
    });
    // As an operator does: the first key before the server runs, all others with it.
    const scopes = ['--scope', 'keys:write', '--scope', 'jobs:write', '--scope', 'deliveries:write'];
    first = server.command('keys', 'create', ...scopes, '--database', server.database);
    await server.start();
  });
  after(async () => {
    await server?.stop();
    await channel?.close();
    await provider?.close();
  });

  it('asks for a key, and has no chat windows', async () => {
    const { page, field, complaints } = await open();
    assert.equal(await field.getAttribute('type'), 'password');
    assert.equal(await page.locator('#you, #job-system, #job-log').count(), 0);
    assert.equal(await page.getByRole('button', { name: 'Sign out' }).count(), 0);
    assert.deepEqual(complaints, []);
  });

  it('says what is wrong with a key', async () => {
    const { page, field, signIn } = await open();
    const alert = page.getByRole('alert');
    const secret = first.split('_')[2];
    for (const [key, message] of [
      ['', 'Type or paste an API key.'],
      ['open sesame', /no API key of Tidings/],
      [first.replace(secret, [...secret].reverse().join('')), /There is no such API key/],
      [create('keys:read'), /This API key lacks the scope jobs:read/]
    ]) {
      await signIn(key);
      await alert.filter({ hasText: message }).waitFor();
      assert.equal(await field.getAttribute('aria-invalid'), 'true');
      assert.equal(await page.locator('#job-log').count(), 0);
      assert.equal(await stored(page), null, 'a key that does not open is not kept');
    }
  });

  it('shows the job log to a key that may read it, until it is signed out', async () => {
    const number = await run('ada');
    const { page, field, signIn } = await open();
    await signIn(create('jobs:read'));
    await page.locator(`#job-log tr[data-job="${number}"]`).getByText('Running').waitFor();
    // There is a way to read the log only.
    await page.getByText('There are no chat windows here').waitFor();

    const next = await run('grace');
    await page.locator(`#job-log tr[data-job="${next}"]`).waitFor();

    await page.reload();
    await page.locator(`#job-log tr[data-job="${next}"]`).waitFor();
    assert.equal(await field.count(), 0, 'the tab keeps the key');

    await page.getByRole('button', { name: 'Sign out' }).click();
    await field.waitFor();
    assert.equal(await page.locator('#job-log').count(), 0);
    assert.equal(await stored(page), null);
    await page.reload();
    await field.waitFor();
  });

  it('keeps the key from other tabs', async () => {
    const { page, context, signIn } = await open();
    await signIn(create('jobs:read'));
    await page.locator('#job-log').waitFor();
    const other = await context.newPage();
    await other.goto(server.url);
    await other.getByLabel('API key').waitFor();
    assert.equal(await other.locator('#job-log').count(), 0);
  });

  it('completes a job with a key that may write, and the channel is told', async () => {
    const number = await run('alan');
    const { page, signIn } = await open();
    await signIn(create('jobs:write'));
    await page.getByRole('button', { name: `Complete job ${number}`, exact: true }).click();
    const notice = await channel.reply('alan', server.log, ({ text }) => text === `Job ${number} is complete.`);
    assert.ok(provider.granted.some(({ token }) => notice.authorization === `Bearer ${token}`), 'with a token of the provider');
    await page.locator(`#job-log tr[data-job="${number}"]`).getByText('Delivered').waitFor();
  });

  it('says so if the key may only read', async () => {
    const number = await run('edsger');
    const { page, signIn } = await open();
    await signIn(create('jobs:read'));
    await page.getByRole('button', { name: `Complete job ${number}`, exact: true }).click();
    await page.getByRole('alert').filter({ hasText: 'This API key lacks the scope jobs:write' }).waitFor();
    await page.locator(`#job-log tr[data-job="${number}"]`).getByText('Running').waitFor();
  });

  it('shows the deliveries to a key that may read only them', async () => {
    const number = await run('barbara');
    const response = await fetch(`${server.url}/api/v1/jobs/${number}/complete`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${first}` },
      body: '{}'
    });
    assert.ok(response.ok, await response.text());
    const notice = `Job ${number} is complete.`;
    const { page, signIn, complaints } = await open();
    await signIn(create('deliveries:read'));
    await page.getByText('This key may not see the job log.').waitFor();
    await page.setViewportSize({ width: 360, height: 740 });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, 'nothing to scroll sideways');
    await page.setViewportSize({ width: 1280, height: 860 });

    const deliveries = new Deliveries(page);
    await deliveries.visit();
    await deliveries.state(notice, 'delivered');
    await deliveries.open(notice);
    await deliveries.panel.getByRole('button', { name: 'Pause conversation' }).click();
    await deliveries.panel.getByRole('alert').filter({ hasText: 'This API key lacks the scope deliveries:write' }).waitFor();
    await page.reload();
    await deliveries.timeline.waitFor();
    assert.deepEqual(
      complaints.filter(complaint => !complaint.includes('403')),
      []
    );
  });

  it('says so if the key may not see deliveries, and takes another', async () => {
    const { page, field, signIn } = await open();
    await signIn(create('jobs:read'));
    await page.getByRole('link', { name: 'Deliveries', exact: true }).click();
    await page.getByText('This API key lacks the scope deliveries:read').waitFor();
    await page.getByRole('button', { name: 'Use another key' }).click();
    await field.waitFor();
    await signIn(create('deliveries:write'));
    await new Deliveries(page).live();
  });

  it('asks again when the key is revoked', async () => {
    const key = create('jobs:read');
    const { page, field, signIn } = await open();
    await signIn(key);
    await page.locator('#job-log').waitFor();
    server.command('keys', 'revoke', key.split('_')[1], '--server', server.url, '--key', first);
    await page.reload();
    await page.getByRole('alert').filter({ hasText: 'This API key was revoked' }).waitFor();
    await field.waitFor();
    assert.equal(await stored(page), null);
  });

  async function open() {
    const context = await visit();
    const page = await context.newPage();
    const complaints = [];
    page.on('console', message => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
    page.on('pageerror', error => complaints.push(error.stack));
    await page.goto(server.url);
    const field = page.getByLabel('API key');
    await field.waitFor();
    const signIn = async key => {
      await field.fill(key);
      await page.getByRole('button', { name: 'Sign in' }).click();
    };
    return { context, page, field, signIn, complaints };
  }

  function create(scope) {
    return server.command('keys', 'create', '--scope', scope, '--server', server.url, '--key', first);
  }

  function stored(page) {
    return page.evaluate(() => sessionStorage.getItem('tidings.console.key'));
  }

  /** Starts a job in a conversation of the channel; its number. */
  async function run(conversation) {
    const claims = { iss: CHANNEL_ISSUER, aud: APP, serviceurl: channel.serviceUrl, nbf: -10, exp: 3600 };
    const response = await fetch(`${server.url}/api/messages`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${await provider.mint({ claims })}` },
      body: JSON.stringify({
        type: 'message',
        id: `run-${conversation}`,
        channelId: 'msteams',
        serviceUrl: channel.serviceUrl,
        conversation: { id: conversation },
        from: { id: `user-${conversation}`, name: conversation },
        recipient: { id: `28:${APP}`, name: 'Tidings' },
        text: 'run'
      })
    });
    assert.equal(response.status, 200, await response.text());
    const { activity } = await channel.reply(conversation, server.log);
    return Number(/job (\d+)/.exec(activity.text)[1]);
  }
});
