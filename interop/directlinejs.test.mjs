// The real botframework-directlinejs against the real server.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, before, describe, it } from 'node:test';

import { asyncScheduler, Client, generateToken } from './support/direct-line.mjs';
import { Server } from './support/server.mjs';
import { within } from './support/wait.mjs';
import { requests } from './support/xml-http-request.mjs';

describe('DirectLineJS', () => {
  let server;
  const clients = [];
  const connect = options => {
    const client = new Client(server, options);
    clients.push(client);
    return client;
  };

  before(async () => {
    server = await Server.start();
  });
  afterEach(() => clients.splice(0).forEach(client => client.close()));
  after(async () => {
    assert.equal(await server.stop(), 0, 'the server stops well when asked');
  });

  it('starts the conversation that its token names', async () => {
    const { token, conversationId } = await generateToken(server);
    const client = connect({ token });
    await client.state('Online');
    assert.deepEqual(client.states, ['Uninitialized', 'Connecting', 'Online']);
    assert.equal(client.directLine.conversationId, conversationId);
  });

  it('posts, and streams its own message and the answer back', async () => {
    const { token, conversationId } = await generateToken(server);
    const client = connect({ token });
    const id = await client.post('run', { channelData: { clientActivityID: 'mine-1' } });
    const echo = await client.activity('the echo of the message', activity => activity.id === id);
    const answer = await client.said("We're starting job");

    assert.match(id, new RegExp(`^${conversationId}\\|\\d{7}$`));
    assert.equal(echo.channelData.clientActivityID, 'mine-1');
    assert.deepEqual([echo.from.id, echo.from.role], ['dl_interop', 'user']);
    assert.deepEqual([answer.from.role, answer.conversation.id, answer.replyToId], ['bot', conversationId, id]);
    for (const activity of [echo, answer]) {
      assert.equal(activity.channelId, 'directline');
      assert.ok(Date.parse(activity.timestamp) > 0, `timestamp of ${activity.id}`);
    }
    assert.ok(answer.id > id, 'ids rise');
    assert.ok(
      client.activities.every(activity => activity.type !== 'conversationUpdate'),
      'conversationUpdate is for the bot only'
    );
  });

  it('is told proactively, in the window that started the job', async () => {
    const you = connect({ token: (await generateToken(server)).token });
    const jobSystem = connect({ token: (await generateToken(server, { id: 'dl_jobs', name: 'Job system' })).token });
    await you.post('run');
    const [, number] = /job (\d+)/.exec((await you.said("We're starting job")).text);
    await jobSystem.post(`done ${number}`);
    await jobSystem.said(`Completing job ${number}.`);
    await you.said(`Job ${number} is complete.`);
    assert.ok(!jobSystem.activities.some(({ text }) => text === `Job ${number} is complete.`), 'nobody else is told');

    await you.directLine
      .postActivity({ type: 'event', name: 'jobComplete', value: Number(number), from: { id: 'dl_interop' } })
      .toPromise();
    await you.post('show');
    await you.said('True');
  });

  it('polls where it is not given a WebSocket', async () => {
    const client = connect({ token: (await generateToken(server)).token, webSocket: false, pollingInterval: 200 });
    const id = await client.post('run');
    const answer = await client.said("We're starting job");
    await client.post('show');
    await client.said('| Job number');
    assert.equal(client.activities.filter(activity => activity.id === id).length, 1, 'each activity once');
    assert.equal(client.activities.filter(activity => activity.id === answer.id).length, 1, 'each activity once');
  });

  it('uploads files, which the bot and the window can fetch', async () => {
    const client = connect({ token: (await generateToken(server)).token });
    const files = [
      { name: 'one.txt', contentType: 'text/plain', bytes: Buffer.from('a tide of news, größer') },
      { name: 'two.png', contentType: 'image/png', bytes: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 255]) }
    ];
    const id = await client.post('two files', {
      attachments: files.map(({ name, contentType, bytes }) => ({
        name,
        contentType,
        contentUrl: URL.createObjectURL(new Blob([bytes], { type: contentType }))
      }))
    });
    const echo = await client.activity('the echo with its files', activity => activity.id === id);

    assert.equal(echo.text, 'two files');
    const byName = Object.fromEntries(echo.attachments.map(attachment => [attachment.name, attachment]));
    for (const { name, contentType, bytes } of files) {
      assert.equal(byName[name].contentType, contentType);
      const response = await fetch(byName[name].contentUrl);
      assert.equal(response.status, 200, byName[name].contentUrl);
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), bytes);
    }
  });

  it('refreshes its token by itself', async () => {
    const refreshed = new Promise(resolve => {
      requests.addEventListener('answered', ({ detail }) => detail.url.endsWith('/tokens/refresh') && resolve(detail));
    });
    // Its quarter of an hour passes at once; every other delay stays what it is.
    const quarter = 15 * 60 * 1_000;
    const scheduler = Object.create(asyncScheduler);
    scheduler.schedule = (work, delay, state) => asyncScheduler.schedule(work, delay === quarter ? 0 : delay, state);

    const client = connect({ token: (await generateToken(server)).token, scheduler });
    const answer = await within('the token to be refreshed', refreshed, { details: server.log });
    assert.equal(answer.status, 200);
    assert.equal(answer.response.conversationId, client.directLine.conversationId);
    await client.post('help');
    assert.equal(client.directLine.token, answer.response.token);
  });

  it('comes back after a kill -9 of the server, with everything said meanwhile', async () => {
    const client = connect({ token: (await generateToken(server)).token, random: () => 0 });
    await client.post('run');
    const [, number] = /job (\d+)/.exec((await client.said("We're starting job")).text);
    const before = client.activities.length;

    await server.kill();
    await server.start();
    const other = connect({ token: (await generateToken(server)).token });
    await other.post(`done ${number}`);
    await client.said(`Job ${number} is complete.`);
    assert.equal(client.activities.length, before + 1, 'nothing twice, nothing else');

    // And its token, from before the restart, still speaks.
    await client.post('show');
    await client.said('| Job number');
  });

  it('reopens a conversation from a watermark, or from its beginning', async () => {
    const { token, conversationId } = await generateToken(server);
    const first = connect({ token });
    await first.post('help');
    await first.said('Type');
    const { watermark } = first.directLine;
    await first.post('run');
    const later = await first.said("We're starting job");
    first.close();

    const fromThere = connect({ token, conversationId, watermark });
    await fromThere.said("We're starting job");
    assert.deepEqual(
      fromThere.activities.map(({ text }) => text),
      ['run', later.text]
    );
    fromThere.close();

    const fromTheStart = connect({ token, conversationId });
    await fromTheStart.said("We're starting job");
    assert.deepEqual(
      fromTheStart.activities.map(({ id }) => id),
      first.activities.map(({ id }) => id)
    );
  });

  it('keeps one live stream per conversation: the newer one', async () => {
    const { token, conversationId } = await generateToken(server);
    let closed;
    class Watched extends WebSocket {
      constructor(url) {
        super(url);
        closed = once(this, 'close');
      }
    }
    const older = connect({ token, WebSocket: Watched, random: () => 1 });
    await older.post('help');
    await older.said('Type');
    const newer = connect({ token, conversationId });
    await newer.said('Type');
    await within('the older stream to be closed', closed, { details: server.log });
    await newer.post('run');
    await newer.said("We're starting job");
  });

  it('is refused with a token that is not ours, and says so', async () => {
    const client = connect({ token: 'eyJhbGciOiJIUzI1NiJ9.eyJjb252IjoieCJ9.c2lnbmF0dXJl' });
    await client.state('FailedToConnect');

    const { token } = await generateToken(server);
    const { conversationId } = await generateToken(server);
    const other = connect({ token, conversationId });
    await other.state('FailedToConnect');
  });

  it('is told the conversation has ended when there is none', async () => {
    const response = await fetch(`${server.directLine}/conversations/no%2Fsuch%20one?watermark=`);
    assert.equal(response.status, 404);
    const { error } = await response.json();
    assert.ok(error.code && error.message, 'an error body as Direct Line writes it');
  });
});
