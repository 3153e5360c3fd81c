// The real SDKs as peers: the same tokens to them and to us, and the same provider of tokens for them and for us.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';

import { Channel } from './support/channel.mjs';
import { CHANNEL_ISSUER, IdentityProvider } from './support/identity-provider.mjs';
import { standIn } from './support/microsoft-hosts.mjs';
import { authorizeJWT, botFrameworkAuthentication, jwtTokenValidation, tokenRequests } from './support/peers.mjs';
import { Server } from './support/server.mjs';
import { within } from './support/wait.mjs';
import { APP, BOTS, CALLER, SERVICE_URL, verdicts } from './support/verdicts.mjs';

const SECRET = 'a client secret: $& #"';

describe('beside the SDKs', () => {
  let provider;
  let channel;
  let leave;
  const bots = new Map();

  before(async () => {
    provider = await IdentityProvider.start({ [APP]: SECRET });
    channel = await Channel.start();
    leave = standIn(provider);
    for (const [name, bot] of Object.entries(BOTS)) {
      const us = await Server.start({
        env: {
          MicrosoftAppId: APP,
          MicrosoftAppPassword: SECRET,
          ...provider.settings,
          ...(bot.tenant && { MicrosoftAppType: 'SingleTenant', MicrosoftAppTenantId: bot.tenant }),
          ...(bot.callers && { TIDINGS_ALLOWED_CALLERS: bot.callers.join(',') }),
          TIDINGS_ALLOWED_SERVICE_HOSTS: channel.host
        }
      });
      const options = { appId: APP, secret: SECRET, bot, issuer: CHANNEL_ISSUER, settings: provider.settings };
      bots.set(name, {
        us,
        connector: botFrameworkAuthentication(options),
        older: jwtTokenValidation(options),
        agents: authorizeJWT(options)
      });
    }
  });
  after(async () => {
    leave?.();
    for (const { us } of bots.values()) await us.stop();
    await channel?.close();
X, () => {
    for (const [number, row] of verdicts.entries()) {
      it(`${row.verdict}: ${row.title}`, async () => {
        const { us, connector, older, agents } = bots.get(row.bot);
        const activity = message(number, row.activity);
        const token = row.token && (await provider.mint(placed(row.token)));
        const headers = row.header ? row.header(token) : [`Bearer ${token}`];

        const said = {
          tidings: await verdict(us, activity, headers, token),
          // Of several headers Node gives the first.
          connector: await connector(activity, headers[0]),
          older: await older(activity, headers[0]),
          agents: await agents(activity, headers[0])
        };
        const { verdict: ours, differs, because } = row;
        const expected = { tidings: ours, connector: ours, agents: ours, ...differs };
        assert.deepEqual(said, { ...expected, older: expected.connector }, us.log());
        const isDifferent = Object.values(said).some(one => one !== ours);
        assert.equal(isDifferent, because !== undefined, 'a difference has a reason, and nothing else has');
      });
    }
  });

  it('asked the provider for nothing that it does not have', () => assert.deepEqual(provider.lost, []));

  describe('a token for the channel', () => {
    const request = { grant_type: 'client_credentials', client_id: APP, client_secret: SECRET, scope: 'https://api.botframework.com/.default' };

    for (const [name, ask] of Object.entries(tokenRequests)) {
      it(`is given to ${name}`, async () => {
        const token = await ask({ appId: APP, secret: SECRET });
        const granted = provider.granted.find(grant => grant.token === token);
        assert.ok(granted, 'the token is the one that was given out');
        });

      it(`is refused to ${name} for a wrong secret`, async () => {
        const before = provider.refused.length;
        await assert.rejects(ask({ appId: APP, secret: 'another' }));
        assert.deepEqual(provider.refused.slice(before).map(({ fault }) => fault), ['invalid_client']);
      });
    }

    it('is given to tidings, and is what the channel sees', async () => {
      const { us } = bots.get('plain');
      const activity = message('token');
      const token = await provider.mint(placed(verdicts[0].token));
      assert.equal((await post(us, activity, [`Bearer ${token}`])).status, 200);
      const { authorization } = await channel.reply(activity.conversation.id, us.log);
      const granted = provider.granted.find(grant => authorization === `Bearer ${grant.token}`);
      assert.ok(granted, `the channel saw ${authorization}`);
      assert.deepEqual(granted.form, request, 'the four fields, and no other');
    });

    it('is another one for a bot that calls', async () => {
      const { us } = bots.get('with one caller');
      const { token: spec } = verdicts.find(({ title }) => title === 'a bot that is allowed');
      const activity = message('parent');
      const token = await provider.mint(placed(spec));
      assert.equal((await post(us, activity, [`Bearer ${token}`])).status, 200);
      const { authorization } = await channel.reply(activity.conversation.id, us.log);
      const granted = provider.granted.find(grant => authorization === `Bearer ${grant.token}`);
      assert.deepEqual(granted?.form, { ...request, scope: `${CALLER}/.default` });
    });

  });

  /** A message of a user in a conversation of its own, on Teams. */
  function message(number, more = {}) {
    return {
      type: 'message',
      id: `activity-${number}`,
      timestamp: new Date().toISOString(),
      channelId: 'msteams',
      serviceUrl: channel.serviceUrl,
      conversation: { id: `conversation-${number}` },
      from: { id: `user-${number}`, name: 'Ada' },
      recipient: { id: `28:${APP}`, name: 'Tidings' },
      text: 'show',
      ...more
    };
  }

  function placed(spec) {
    const { serviceurl } = spec.claims;
    const text = typeof serviceurl === 'string' ? place(serviceurl) : serviceurl;
    return { ...spec, claims: { ...spec.claims, serviceurl: text } };
  }

  function place(text) {
    return text.replace(SERVICE_URL, channel.serviceUrl).replace(SERVICE_URL.toUpperCase(), channel.serviceUrl.toUpperCase());
  }

  /** Ours: accepted is 200 and a reply in the conversation, refused is 401 and none; anything else is told as it is. */
  async function verdict(server, activity, headers, token) {
    const { status, text } = await post(server, activity, headers);
    const replies = channel.in(activity.conversation.id);
    const log = server.log();
    if (token) {
      const signature = token.split('.')[2];
      assert.ok(!signature || !(text + log).includes(signature), 'the token is neither logged nor answered');
    }
    if (status === 200 && replies.length > 0) return 'accepted';
    if (status === 401 && replies.length === 0) return 'refused';
    return `${status} ${text}, and ${replies.length} replies`;
  }

  /** With the Authorization headers as they are, also two or a blank one, which `fetch` would put right. */
  async function post(server, activity, authorizations) {
    const request = http.request(`${server.url}/api/messages`, {
      method: 'POST',
      headers: [
        ['Host', `127.0.0.1:${server.port}`],
        ['Content-Type', 'application/json'],
        ...authorizations.map(value => ['Authorization', value])
      ].flat()
    });
    request.end(JSON.stringify(activity));
    const [response] = await within('the answer to an activity', once(request, 'response'), { details: server.log });
    return { status: response.statusCode, text: await textOf(response) };
  }
});
