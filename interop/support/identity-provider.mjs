import { generateKeyPair, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { CompactSign, UnsecuredJWT } from 'jose';

import { listen } from './loopback.mjs';

const makeKeyPair = promisify(generateKeyPair);

/** Who the tokens of a channel come from, and the tenant of the Bot Framework itself. */
export const CHANNEL_ISSUER = 'https://api.botframework.com';
export const FRAMEWORK_TENANT = 'd6d49420-f39b-4df7-a1dc-d59a935871db';

/** The provider's keys: who publishes each, and for which channels it is endorsed. */
const KEYS = {
  channel: { published: 'channel', endorsements: ['msteams', 'webchat', 'directline'] },
  elsewhere: { published: 'channel', endorsements: ['skype', 'cortana'] },
  bare: { published: 'channel' },
  curve: { published: 'channel', endorsements: ['msteams'], type: 'ec' },
  directory: { published: 'directory' },
  next: { published: 'directory' },
  rogue: {}
};

/**
 * What stands in for Microsoft: the Bot Framework's metadata and keys, the directory's (Entra ID), and its token endpoint.
 * What was asked of the endpoint stays in `granted` or `refused`, and what is nowhere in `lost`.
 */
export class IdentityProvider {
  granted = [];
  refused = [];
  lost = [];
  #keys = new Map();
  #server;

  /** With one app, its client secret, and the tenants in which it is registered. */
  static async start({ appId, secret, tenants }) {
    const provider = new IdentityProvider();
    Object.assign(provider, { appId, secret, tenants });
    for (const [name, { published, endorsements, type = 'rsa' }] of Object.entries(KEYS)) {
      const options = type === 'rsa' ? { modulusLength: 2048 } : { namedCurve: 'P-256' };
      const { privateKey, publicKey } = await makeKeyPair(type, options);
      const jwk = { ...publicKey.export({ format: 'jwk' }), kid: name, x5t: name, use: 'sig', endorsements };
      provider.#keys.set(name, { privateKey, publicKey, published, jwk });
    }
    provider.#server = await listen((request, body) => provider.#answer(request, body));
    return provider;
  }

  get host() {
    return this.#server.host;
  }

  get url() {
    return `http://${this.host}`;
  }

  /** What Tidings is told, in the names of the Bot Framework. */
  get settings() {
    return {
      ToBotFromChannelOpenIdMetadataUrl: `${this.url}/v1/.well-known/openidconfiguration`,
      ToBotFromEmulatorOpenIdMetadataUrl: `${this.url}/common/v2.0/.well-known/openid-configuration`,
      ToChannelFromBotLoginUrl: `${this.url}/botframework.com`
    };
  }

  close() {
    return this.#server.close();
  }

  /**
   * The token that a row of the table describes. Claims `exp`, `nbf` and `iat` that are numbers are seconds from now.
   * `kid` is the key's name unless it is given, null for none.
   */
  async mint({ key = 'channel', kid = key, alg = 'RS256', header = {}, claims, tampered }) {
    const now = Math.floor(Date.now() / 1000);
    const timed = Object.fromEntries(
      Object.entries(claims).map(([name, value]) => [
        name,
        ['exp', 'nbf', 'iat'].includes(name) && typeof value === 'number' ? now + value : value
      ])
    );
    if (alg === 'none') return new UnsecuredJWT(timed).encode();
    const { privateKey, publicKey } = this.#keys.get(key);
    const head = { typ: 'JWT', alg, ...(kid !== null && { kid, x5t: kid }), ...header };
    // The confusion of keys: the published one, as it is written in PEM files, taken for a secret.
    const material = alg.startsWith('HS') ? Buffer.from(publicKey.export({ format: 'pem', type: 'spki' })) : privateKey;
    const options = head.crit && { crit: Object.fromEntries(head.crit.map(name => [name, true])) };
    const token = await new CompactSign(Buffer.from(JSON.stringify(timed))).setProtectedHeader(head).sign(material, options);
    if (!tampered) return token;
    const [first, , last] = token.split('.');
    return [first, Buffer.from(JSON.stringify({ ...timed, ...tampered })).toString('base64url'), last].join('.');
  }

  async #answer(request, body) {
    const { pathname } = new URL(request.url, this.url);
    const [, tenant, ...rest] = pathname.split('/');
    switch (`${request.method} ${rest.join('/')}`) {
      case 'GET .well-known/openidconfiguration':
        return [200, { issuer: CHANNEL_ISSUER, jwks_uri: `${this.url}/v1/.well-known/keys` }];
      case 'GET .well-known/keys':
        return [200, this.#published('channel')];
      case 'GET v2.0/.well-known/openid-configuration':
        return [
          200,
          {
            issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0',
            authorization_endpoint: `${this.url}/${tenant}/oauth2/v2.0/authorize`,
            token_endpoint: `${this.url}/${tenant}/oauth2/v2.0/token`,
            jwks_uri: `${this.url}/${tenant}/discovery/v2.0/keys`
          }
        ];
      case 'GET discovery/v2.0/keys':
        return [200, this.#published('directory')];
      case 'POST oauth2/v2.0/token':
        return this.#grant(tenant, request.headers['content-type'], body);
      default:
        this.lost.push(`${request.method} ${request.url}`);
        return [404, { error: 'not_found' }];
    }
  }

  #published(by) {
    return { keys: [...this.#keys.values()].filter(({ published }) => published === by).map(({ jwk }) => jwk) };
  }

  /** The client credentials grant of protocol section 3.3. Whoever asks, these are the questions. */
  async #grant(tenant, type = '', body) {
    const form = Object.fromEntries(new URLSearchParams(body));
    const fault = this.#fault(tenant, type, body, form);
    if (fault) {
      this.refused.push({ tenant, form, fault });
      return [fault === 'invalid_client' ? 401 : 400, { error: fault, error_description: fault }];
    }
    const claims = {
      iss: `https://sts.windows.net/${FRAMEWORK_TENANT}/`,
      aud: form.scope.slice(0, -'/.default'.length),
      appid: form.client_id,
      tid: FRAMEWORK_TENANT,
      ver: '1.0',
      uti: randomUUID(),
      iat: 0,
      nbf: 0,
      exp: 3600
    };
    const token = await this.mint({ key: 'directory', claims });
    this.granted.push({ tenant, form, token });
    return [200, { token_type: 'Bearer', expires_in: 3600, ext_expires_in: 3600, access_token: token }];
  }

  #fault(tenant, type, body, form) {
    if (!this.tenants.includes(tenant)) return 'invalid_tenant';
    if (!type.startsWith('application/x-www-form-urlencoded')) return 'invalid_request';
    // A name that stands twice is one too many (RFC 6749, 3.2).
    if ([...new URLSearchParams(body).keys()].length !== Object.keys(form).length) return 'invalid_request';
    if (form.grant_type !== 'client_credentials') return 'unsupported_grant_type';
    if (form.client_id !== this.appId) return 'unauthorized_client';
    if (form.client_secret !== this.secret) return 'invalid_client';
    if (!/^\S+\/\.default$/.test(form.scope)) return 'invalid_scope';
    return undefined;
  }
}
