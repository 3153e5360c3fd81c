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
import { APP, BOTS, CALLER, OWN_TENANT, SERVICE_URL, verdicts } from './support/verdicts.mjs';

const SECRET = 'a client secret: $& #"';

describe('beside the SDKs', () => {
  let provider;
  let channel;
  let leave;
  const bots = new Map();

  before(async () => {
    provider = await IdentityProvider.start({ appId: APP, secret: SECRET, tenants: ['botframework.com', OWN_TENANT] });
    channel = await Channel.start();
    leave = standIn(provider);
    const starts = Object.entries(BOTS).map(async ([name, bot]) => {
      const us = await Server.start({
        env: {
          MicrosoftAppId: APP,
          MicrosoftAppPassword: SECRET,
          ...provider.settings,
          ...(bot.tenant && { MicrosoftAppType: 'SingleTenant', MicrosoftAppTenantId: bot.tenant }),
          ...(bot.callers && { TIDINGS_ALLOWED_CALLERS: bot.callers.join(',') }),
          TIDINGS_ALLOWED_SERVICE_HOSTS: channel.host,
          TIDINGS_SLOW_TURN_AFTER: '14s'
        }
      });
      const options = { appId: APP, secret: SECRET, bot, issuer: CHANNEL_ISSUER, settings: provider.settings };
      bots.set(name, {
        us,
        connector: botFrameworkAuthentication(options),
        older: jwtTokenValidation(options),
        agents: authorizeJWT(options)
      });
    });
    // Those that did start are stopped, also if one did not.
    const failed = (await Promise.allSettled(starts)).find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
  });
  after(async () => {
    leave?.();
    await Promise.all([...bots.values()].map(({ us }) => us.stop()));
    await channel?.close();
    await provider?.close();
  });

  describe('verdicts', () => {
    for (const [number, row] of verdicts.entries()) {
      it(`${row.verdict}: ${row.title}`, async () => {
        const { us, connector, older, agents } = bots.get(row.bot);
        const activity = message(number, row.activity);
        const token = row.token && (await provider.mint(placed(row.token)));
        const headers = row.header ? row.header(token) : [`Bearer ${token}`];

        const said = {
          tidings: await verdict(us, activity, headers, token, row.code),
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
    const request = {
      grant_type: 'client_credentials',
      client_id: APP,
      client_secret: SECRET,
      scope: 'https://api.botframework.com/.default'
    };

    for (const bot of ['plain', 'of one tenant']) {
      const { tenant } = BOTS[bot];
      describe(`of a bot ${tenant ? 'of one tenant' : 'of many tenants'}`, () => {
        for (const [name, ask] of Object.entries(tokenRequests)) {
          it(`is given to ${name}`, async () => {
            const token = await ask({ appId: APP, secret: SECRET, tenant });
            const granted = grant(token);
            assert.equal(granted.tenant, tenant ?? 'botframework.com');
            // MSAL says with it who it is.
            const asked = Object.fromEntries(Object.keys(request).map(field => [field, granted.form[field]]));
            assert.deepEqual(asked, request);
          });

          it(`is refused to ${name} for a wrong secret`, async () => {
            const before = provider.refused.length;
            await assert.rejects(ask({ appId: APP, secret: 'another', tenant }));
            const faults = provider.refused.slice(before).map(({ fault }) => fault);
            assert.deepEqual(faults, ['invalid_client']);
          });
        }

        it('is given to tidings, and is what the channel sees', async () => {
          const token = await answered(bot, 'a channel');
          assert.equal(grant(token).tenant, tenant ?? 'botframework.com');
          assert.deepEqual(grant(token).form, request, 'the four fields, and no other');
        });
      });
    }

    it('is one for the caller where that is another bot', async () => {
      const token = await answered('with one caller', 'a bot that is allowed');
      assert.deepEqual(grant(token).form, { ...request, scope: `${CALLER}/.default` });
    });

    function grant(token) {
      const granted = provider.granted.find(one => one.token === token);
      assert.ok(granted, `no token of the provider: ${token}`);
      return granted;
    }

    /** The token that the bot sends to the channel when it answers one that came with the token of a row. */
    async function answered(bot, title) {
      const { us } = bots.get(bot);
      const activity = message(`for ${bot}`);
      const row = verdicts.find(row => row.title === title);
      const { status, text } = await post(us, activity, [`Bearer ${await provider.mint(placed(row.token))}`]);
      assert.equal(status, 200, text);
      const { authorization } = await channel.reply(activity.conversation.id, us.log);
      return authorization.replace(/^Bearer /, '');
    }
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

  /** Ours: accepted is 200 and a reply in the conversation, refused is 401 with the code and none; else it is told as it is. */
  async function verdict(server, activity, headers, token, code) {
    const { status, text } = await post(server, activity, headers);
    const replies = channel.in(activity.conversation.id);
    const log = server.log();
    if (token) {
      const signature = token.split('.')[2];
      assert.ok(!signature || !(text + log).includes(signature), 'the token is neither logged nor answered');
    }
    if (status === 200 && replies.length > 0) return 'accepted';
    if (status === 401 && replies.length === 0 && JSON.parse(text).error.code === code) return 'refused';
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
