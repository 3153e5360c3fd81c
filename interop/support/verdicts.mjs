// One table of tokens, and what three verifiers say to each:
//
// - `tidings`: this server, over HTTP: 200 and a reply in the channel, or 401 and none;
// - `connector`: botframework-connector's JwtTokenValidation, and BotFrameworkAuthentication, which CloudAdapter uses in its
//   place: both are asked, and say the same;
// - `agents`: the middleware authorizeJWT of @microsoft/agents-hosting, with `validateIssuer` on. Its adapter looks at
//   the activity afterwards, but refuses for no token.
//
// The SDKs' fixed addresses lead to the provider of this test: see microsoft-hosts.mjs.
//
// A difference is written down with its reason, so that a peer that changes its mind shows here.
import { CHANNEL_ISSUER, FRAMEWORK_TENANT } from './identity-provider.mjs';

export const APP = '6f1c7e2a-0d53-4b0e-9d6f-1c5b2b6f8a10';
export const CALLER = '1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed';
const STRANGER = '9c858901-8a57-4791-81fe-4c455b099bc9';
export const OWN_TENANT = '5f6a1c3e-8d2b-4a7f-b1e0-3c9d7e5f2a46';

/** Stands for the channel's serviceUrl, which is not known before it listens. */
export const SERVICE_URL = '{serviceUrl}';

/** How the bot is set up. */
export const BOTS = {
  plain: {},
  'with one caller': { callers: [CALLER] },
  'with any caller': { callers: ['*'] },
  'of one tenant': { tenant: OWN_TENANT }
};

const v1 = tenant => `https://sts.windows.net/${tenant}/`;
const v2 = tenant => `https://login.microsoftonline.com/${tenant}/v2.0`;

/** `undefined` takes a claim away. */
const token = (base, claims, rest) => ({ claims: { ...base, ...claims }, ...rest });
const times = { iat: -10, nbf: -10, exp: 3600 };
const channel = (claims, rest) => token({ iss: CHANNEL_ISSUER, aud: APP, serviceurl: SERVICE_URL, ...times }, claims, rest);
const directory = { key: 'directory' };
const first = { iss: v1(FRAMEWORK_TENANT), tid: FRAMEWORK_TENANT, ver: '1.0', aud: APP, appid: APP, ...times };
const second = { iss: v2(FRAMEWORK_TENANT), tid: FRAMEWORK_TENANT, ver: '2.0', aud: APP, azp: APP, ...times };
const emulator = (claims, rest) => token(first, claims, { ...directory, ...rest });
const emulator2 = (claims, rest) => token(second, claims, { ...directory, ...rest });
const skill = (claims, rest) => emulator({ appid: CALLER, ...claims }, rest);
const skill2 = (claims, rest) => emulator2({ azp: CALLER, ...claims }, rest);

const row = (verdict, title, token, more) => ({ verdict, title, token, differs: {}, bot: 'plain', ...more });
const accepted = (title, token, more) => row('accepted', title, token, more);
/** `code` is the one in our answer: what is refused for another reason would show nothing. */
const refused = (code, title, token, more) => row('refused', title, token, { code, ...more });
const others = (verdict, because) => ({ differs: { connector: verdict, agents: verdict }, because });
const connector = (verdict, because) => ({ differs: { connector: verdict }, because });
const agents = (verdict, because) => ({ differs: { agents: verdict }, because });

const NO_ACTIVITY = 'authorizeJWT does not look at the activity; the adapter behind it compares hosts, and only if told to';
const NO_ENDORSEMENTS = 'authorizeJWT does not read endorsements';
const LONGER_HASH = 'botframework-connector takes the longer hashes too, with which neither issuer signs';
const ADDRESS = 'newer SDKs take the forms that the registration of an app may give its audience; these two do not';
const NO_CALLER = 'authorizeJWT asks for the audience only: whoever got a token for it may call';

/** `header` makes the Authorization headers of the token; without one it is `Bearer` and the token. */
export const verdicts = [
  // Who may come in.
  accepted('a channel', channel()),
  accepted('the Emulator, version 1.0', emulator()),
  accepted('the Emulator, version 2.0', emulator2()),
  accepted('the second key of the directory', emulator({}, { key: 'next' })),
  accepted('the second tenant of the list', emulator(tenanted('f8cdef31-a31e-4b4a-93e4-5f571e91255a'))),
  accepted('no nbf', channel({ nbf: undefined })),

  // The header.
  refused('missing_header', 'no header', undefined, { header: () => [] }),
  refused('missing_header', 'a blank header', undefined, { header: () => [' '] }),
  refused('wrong_scheme', 'another scheme', channel(), { header: text => [`Basic ${text}`] }),
  refused('malformed_header', 'a scheme without a token', undefined, { header: () => ['Bearer'] }),
  refused('malformed_header', 'a token without a scheme', channel(), { header: text => [text] }),
  refused('wrong_scheme', 'a scheme in lower case', channel(), {
    header: text => [`bearer ${text}`],
    ...agents('accepted', 'authorizeJWT takes it in any case, as HTTP has it; the Bot Framework names one spelling')
  }),
  refused('malformed_header', 'two spaces after the scheme', channel(), {
    header: text => [`Bearer  ${text}`],
    ...agents('accepted', 'authorizeJWT splits at any white space; the Bot Framework asks for two parts')
  }),
  refused('malformed_header', 'two tokens in one header', channel(), { header: text => [`Bearer ${text} ${text}`] }),
  refused('several_headers', 'two headers', channel(), {
    header: text => [`Bearer ${text}`, `Bearer ${text}`],
    ...others('accepted', 'Node keeps the first and drops the other; which of two is meant is not for us to guess')
  }),
  refused('malformed_token', 'something that is no token', undefined, { header: () => ['Bearer not.a.jwt'] }),
  refused(
    'token_too_long',
    'a token that is too long',
    channel({ padding: 'x'.repeat(20_000) }),
    others('accepted', 'the SDKs have no limit of their own: the server in front has one, in Node 16 KiB for all headers')
  ),

  // Algorithm, key and signature.
  refused('unsupported_algorithm', 'a token that is not signed', channel({}, { alg: 'none' })),
  refused('unsupported_algorithm', 'HS256 with the public key as secret', channel({}, { alg: 'HS256' })),
  refused('unsupported_algorithm', 'PS256', channel({}, { alg: 'PS256' })),
  refused('unsupported_algorithm', 'RS384', channel({}, { alg: 'RS384' }), connector('accepted', LONGER_HASH)),
  refused('unsupported_algorithm', 'RS512', channel({}, { alg: 'RS512' }), connector('accepted', LONGER_HASH)),
  refused('unsupported_algorithm', 'ES256 by a published key', channel({}, { alg: 'ES256', key: 'curve' })),
  refused('no_key_id', 'no kid', channel({}, { kid: null })),
  refused('no_key_id', 'the Emulator without kid', emulator({}, { kid: null })),
  refused('unknown_key', 'a key that nobody publishes', channel({}, { key: 'rogue' })),
  refused('bad_signature', 'a key that nobody publishes under the name of one that is', channel({}, { key: 'rogue', kid: 'channel' })),
  refused('bad_signature', 'claims that were changed afterwards', channel({ exp: -3600 }, { tampered: { exp: 4102444800 } })),
  refused('unknown_key', 'the channel, signed by the directory', channel({}, directory)),
  refused('unknown_key', 'the directory, signed by the channel', emulator({}, { key: 'channel' })),
  refused(
    'malformed_token',
    'an extension that must be understood',
    channel({}, { header: { crit: ['urn:example:x'], 'urn:example:x': 1 } }),
    others('accepted', 'jsonwebtoken passes over `crit`, which RFC 7515 (4.1.11) does not allow')
  ),

  // Time.
  accepted('expired for less than the clocks may differ', channel({ exp: -240 })),
  refused('expired', 'expired for longer', channel({ nbf: -7200, exp: -360 })),
  accepted('valid before the clocks may differ', channel({ nbf: 240 })),
  refused('not_yet_valid', 'not valid yet', channel({ nbf: 360 })),
  refused('expired', 'the Emulator, expired', emulator({ exp: -3600 })),
  refused(
    'no_expiry',
    'no expiry',
    channel({ exp: undefined }),
    others('accepted', 'jsonwebtoken does not ask for `exp`: such a token would be good for ever')
  ),
  refused('malformed_token', 'an expiry that is no number', channel({ exp: 'tomorrow' })),

  // Issuer and tenant.
  refused('wrong_issuer', 'an unknown issuer', channel({ iss: 'https://issuer.example' })),
  refused('wrong_issuer', 'an unknown issuer, signed by the directory', emulator({ iss: 'https://issuer.example', tid: undefined })),
  refused('wrong_issuer', 'no issuer', channel({ iss: undefined })),
  refused('wrong_issuer', 'the channel of another cloud', channel({ iss: 'https://api.botframework.us' })),
  refused(
    'wrong_issuer',
    'the Emulator of a tenant that is not listed',
    emulator(tenanted('0a1b2c3d-4e5f-4061-8273-8495a6b7c8d9')),
    connector('accepted', 'botframework-connector adds whatever tenant the token names to its list of issuers, for the whole process')
  ),
  refused(
    'wrong_tenant',
    'a tenant that is not the one of the issuer',
    emulator({ tid: '11111111-2222-4333-8444-555555555555' }),
    connector('accepted', 'botframework-connector does not compare them')
  ),
  accepted('the Emulator of the own tenant', emulator(tenanted(OWN_TENANT)), { bot: 'of one tenant' }),
  accepted('the Emulator of the own tenant, version 2.0', emulator2({ iss: v2(OWN_TENANT), tid: OWN_TENANT }), {
    bot: 'of one tenant'
  }),

  // Audience and app.
  refused('wrong_audience', 'a channel, for another app', channel({ aud: STRANGER })),
  refused('no_audience', 'a channel, for nobody', channel({ aud: undefined })),
  refused(
    'malformed_token',
    'a list of audiences',
    channel({ aud: [APP, STRANGER] }),
    agents('accepted', 'authorizeJWT looks for the app id among them; neither issuer writes a list')
  ),
  accepted('an audience that is the app id as an address', channel({ aud: `api://${APP}` }), others('refused', ADDRESS)),
  accepted('an audience of the bot registration', channel({ aud: `api://botid-${APP}` }), others('refused', ADDRESS)),
  accepted(
    'an app id in upper case',
    channel({ aud: APP.toUpperCase() }),
    others('refused', 'an app id is a GUID, the same in either case; the JavaScript SDKs compare text')
  ),
  refused('wrong_app_id', 'the Emulator, given to another app', emulator({ aud: STRANGER, appid: STRANGER })),
  refused('no_app_id', 'the Emulator, without appid', emulator({ appid: undefined }), agents('accepted', NO_CALLER)),
  refused('no_app_id', 'the Emulator 2.0, with appid only', emulator2({ azp: undefined, appid: APP }), agents('accepted', NO_CALLER)),
  refused('unsupported_version', 'the Emulator, version 3.0', emulator({ ver: '3.0' }), agents('accepted', 'authorizeJWT does not look at `ver`')),
  accepted(
    'the Emulator, without version',
    emulator({ ver: undefined }),
    connector('refused', 'botframework-connector asks for `ver`, though an empty one will do; without it we read `appid`, as in 1.0')
  ),
  refused(
    'wrong_audience',
    'the token that the bot itself sends to channels',
    emulator({ aud: CHANNEL_ISSUER }),
    connector('accepted', 'botframework-connector lets the Emulator have this audience: whoever was sent the token could come back with it')
  ),
  refused('wrong_audience', 'the own app, for another app', emulator({ aud: STRANGER })),

  // The channel's word about the activity.
  refused('not_endorsed', 'a key that is endorsed for other channels', channel({}, { key: 'elsewhere' }), agents('accepted', NO_ENDORSEMENTS)),
  refused(
    'not_endorsed',
    'a key without endorsement',
    channel({}, { key: 'bare' }),
    others('accepted', 'the JavaScript SDK asks for endorsements only where there are some, and authorizeJWT never; .NET refuses')
  ),
  refused('not_endorsed', 'another channel than the key is endorsed for', channel(), {
    activity: { channelId: 'telegram' },
    ...agents('accepted', NO_ENDORSEMENTS)
  }),
  refused('no_channel_id', 'no channelId', channel(), {
    activity: { channelId: '' },
    ...others('accepted', 'a blank channelId is endorsed by anything in the SDKs: it says nothing, so it would prove nothing')
  }),
  refused('wrong_service_url', 'another serviceUrl', channel({ serviceurl: 'https://service.example/' }), agents('accepted', NO_ACTIVITY)),
  refused('no_service_url_claim', 'no serviceurl claim', channel({ serviceurl: undefined }), agents('accepted', NO_ACTIVITY)),
  refused('no_service_url', 'an activity without serviceUrl', channel(), {
    activity: { serviceUrl: '' },
    ...others('accepted', 'without a serviceUrl the SDKs compare nothing; we would not know where to reply')
  }),
  accepted(
    'a serviceurl claim in upper case',
    channel({ serviceurl: SERVICE_URL.toUpperCase() }),
    connector('refused', 'botframework-connector compares text; .NET does not regard case')
  ),
  accepted(
    'a serviceurl claim with a slash at its end',
    channel({ serviceurl: `${SERVICE_URL}/` }),
    connector('refused', 'botframework-connector compares text; both lead to the same connector')
  ),

  // Other bots.
  refused('caller_not_allowed', 'a bot, where no caller is allowed', skill(), agents('accepted', NO_CALLER)),
  refused('caller_not_allowed', 'a bot of version 2.0, where no caller is allowed', skill2(), agents('accepted', NO_CALLER)),
  accepted('a bot that is allowed', skill(), { bot: 'with one caller' }),
  accepted('a bot of version 2.0 that is allowed', skill2(), { bot: 'with one caller' }),
  refused('caller_not_allowed', 'a bot that is not the one that is allowed', skill({ appid: STRANGER }), {
    bot: 'with one caller',
    ...agents('accepted', NO_CALLER)
  }),
  accepted('a bot, where any is allowed', skill(), { bot: 'with any caller' }),
  accepted('a channel, where one bot is allowed', channel(), { bot: 'with one caller' }),
  refused('wrong_audience', 'an allowed bot, for another app', skill({ aud: STRANGER }), { bot: 'with one caller' }),
  refused('unknown_key', 'an allowed bot, signed by the channel', skill({}, { key: 'channel' }), { bot: 'with one caller' }),
  refused('expired', 'an allowed bot, expired', skill({ exp: -3600 }), { bot: 'with one caller' })
];

function tenanted(tenant) {
  return { iss: v1(tenant), tid: tenant };
}
