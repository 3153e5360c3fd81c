import { createRequire } from 'node:module';

// Both are CommonJS, and not all of their names are seen by `import`.
const require = createRequire(import.meta.url);
const connector = require('botframework-connector');
const agents = require('@microsoft/agents-hosting');

/** An answer of a peer that is neither yes nor no would make the table say nothing. */
const isRefusal = error =>
  error.statusCode === 401 ||
  ['JsonWebTokenError', 'TokenExpiredError', 'NotBeforeError'].includes(error.name) ||
  error.message.startsWith('Received a request from an application');

async function verdict(authenticate) {
  const { error: print } = console;
  console.error = () => undefined;
  try {
    await authenticate();
    return 'accepted';
  } catch (error) {
    if (isRefusal(error)) return 'refused';
    throw error;
  } finally {
    console.error = print;
  }
}

function configuration({ callers, tenant }) {
  const claims = callers && connector.allowedCallersClaimsValidator(callers);
  const issuers = tenant && [`https://sts.windows.net/${tenant}/`, `https://login.microsoftonline.com/${tenant}/v2.0`];
  return new connector.AuthenticationConfiguration([], claims, issuers);
}

/** `JwtTokenValidation` of botframework-connector, as adapters before CloudAdapter call it. */
export function jwtTokenValidation({ appId, secret, bot }) {
  const credentials = new connector.SimpleCredentialProvider(appId, secret);
  const settings = configuration(bot);
  return (activity, header = '') =>
    verdict(() => connector.JwtTokenValidation.authenticateRequest(activity, header, credentials, '', settings));
}

/** What CloudAdapter uses in its place, with the addresses as settings. */
export function botFrameworkAuthentication({ appId, secret, bot, issuer, settings }) {
  const authentication = connector.BotFrameworkAuthenticationFactory.create(
    '',
    true,
    settings.ToChannelFromBotLoginUrl,
    issuer,
    issuer,
    issuer,
    settings.ToBotFromChannelOpenIdMetadataUrl,
    settings.ToBotFromEmulatorOpenIdMetadataUrl,
    'urn:botframework:azure',
    new connector.PasswordServiceClientCredentialFactory(appId, secret),
    configuration(bot)
  );
  return (activity, header = '') => verdict(() => authentication.authenticateRequest(activity, header));
}

/** `authorizeJWT` of @microsoft/agents-hosting, with the issuer's check on, which is off as it comes. */
export function authorizeJWT({ appId, secret, bot }) {
  const middleware = agents.authorizeJWT(
    agents.getAuthConfigWithDefaults({ clientId: appId, clientSecret: secret, tenantId: bot.tenant, validateIssuer: true })
  );
  return async (activity, header) => {
    let status;
    let passed = false;
    const response = { status: code => ((status = code), response), send: () => response };
    const request = { method: 'POST', headers: header === undefined ? {} : { authorization: header }, body: activity };
    await middleware(request, response, () => (passed = true));
    if (passed === (status !== undefined)) throw new Error(`it both passed and answered ${status}, or neither`);
    if (!passed && status !== 401) throw new Error(`it answered ${status}`);
    return passed ? 'accepted' : 'refused';
  };
}

/** A token for the channel, as each SDK asks for it. `tenant` is that of a single-tenant bot. */
export const tokenRequests = {
  'MicrosoftAppCredentials of botframework-connector': ({ appId, secret, tenant }) =>
    new connector.MicrosoftAppCredentials(appId, secret, tenant).getToken(true),
  'MsalTokenProvider of @microsoft/agents-hosting': ({ appId, secret, tenant }) =>
    new agents.MsalTokenProvider().getAccessToken(
      { clientId: appId, clientSecret: secret, tenantId: tenant },
      'https://api.botframework.com'
    )
};
