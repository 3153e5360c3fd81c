import http from 'node:http';
import https from 'node:https';

const MICROSOFT = [
  'login.botframework.com',
  'login.botframework.azure.us',
  'login.microsoftonline.com',
  'login.microsoftonline.us'
];

/**
 * The SDKs have addresses of Microsoft's that no setting changes: where JwtTokenValidation and authorizeJWT look for keys,
 * and MSAL's authority, which must be https. In this process requests to those hosts go to the provider instead, as they
 * are, path and all. A request to any other host fails, loopback aside: nothing here needs the internet.
 *
 * Takes the place of `https.request` (node-fetch, jwks-rsa and MSAL 2 use it) and `fetch` (MSAL 5). Returns what undoes it.
 */
export function standIn(provider) {
  const [hostname, port] = provider.host.split(':');
  const genuine = { request: https.request, fetch: globalThis.fetch };

  https.request = (options, callback) => {
    if (!MICROSOFT.includes(options.hostname)) throw new Error(`a request to ${options.hostname}`);
    return http.request({ ...options, protocol: 'http:', hostname, host: undefined, port, agent: undefined }, callback);
  };
  globalThis.fetch = (address, options) => {
    const url = new URL(address);
    if (MICROSOFT.includes(url.hostname)) return genuine.fetch(`${provider.url}${url.pathname}${url.search}`, options);
    if (url.hostname !== '127.0.0.1') throw new Error(`a request to ${url.hostname}`);
    return genuine.fetch(address, options);
  };
  return () => {
    https.request = genuine.request;
    globalThis.fetch = genuine.fetch;
  };
}
