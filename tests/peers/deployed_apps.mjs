// The packages that are deployed, oauth-fn and mcp-fn, behind the stand-in for the Functions host, with
// their settings and their tables. Users sign in at an OpenID provider that is not ours.

import assert from 'node:assert/strict';
import * as openid from 'openid-client';
import { REDIRECT_URI, SERVER, callTool, step } from './peer.mjs';
import { approve, decide } from './person.mjs';
import { serveGateway } from './gateway.mjs';
import { serveProvider } from './openid_provider.mjs';

const { UPSTREAM_ISSUER, UPSTREAM_CLIENT_ID, UPSTREAM_CREDENTIAL, ALLOWED_TENANTS } = process.env;
const options = { execute: [openid.allowInsecureRequests], algorithm: 'oauth2' };
const resource = { resource: SERVER.href };
const people = new Map([
  ['carol', { name: 'Carol Independent', tid: ALLOWED_TENANTS, oid: 'c-1' }],
  ['dave', { name: 'Dave Elsewhere', tid: 'another-tenant', oid: 'd-1' }],
]);
const signInAs = (login) => [{ login, password: 'any' }, {}];

const granted = await step('start', async () => {
  const { OAUTH_FN_PORT: oauth, MCP_FN_PORT: mcp, FUNCTION_KEY: key } = process.env;
  await serveGateway(SERVER.port, { oauth, mcp, key });
  const application = {
    client_id: UPSTREAM_CLIENT_ID,
    client_secret: UPSTREAM_CREDENTIAL,
    token_endpoint_auth_method: 'client_secret_post',
    redirect_uris: [`${SERVER.origin}/oauth-callback`],
  };
  return serveProvider(new URL(UPSTREAM_ISSUER), application, people);
});
const client = await step('registration', () =>
  openid.dynamicClientRegistration(
    new URL(SERVER.origin),
    { redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' },
    openid.None(),
    options,
  ));

const checks = { pkceCodeVerifier: openid.randomPKCECodeVerifier(), expectedState: openid.randomState() };
const url = await authorizationUrl();
const back = await step('sign-in', () => approve(url, signInAs('carol')));
let tokens = await step('code redeemed', () =>
  openid.authorizationCodeGrant(client, back, checks, resource));
await step('whoami', whoami);
await step('snippet', async () => {
  const text = 'fn main() {}\n';
  await call('save_snippet', { snippetname: 'peer.txt', snippet: text });
  assert.equal(await call('get_snippet', { snippetname: 'peer.txt' }), text);
});
// The second time, only the refresh token of the first answer is good at the provider.
for (const [name, refreshes] of [['refresh', 1], ['refresh again', 2]]) {
  await step(name, async () => {
    tokens = await openid.refreshTokenGrant(client, tokens.refresh_token, resource);
    assert.equal(granted.refreshes, refreshes);
  });
}
await step('whoami after refresh', whoami);
await step('another tenant refused', async () => {
  const refused = await decide(url, [{ decision: 'allow' }, ...signInAs('dave')]);
  assert.equal(refused.searchParams.get('error'), 'access_denied');
});
await step('user withdrawn', async () => {
  people.delete('carol');
  const renewal = openid.refreshTokenGrant(client, tokens.refresh_token, resource);
  await assert.rejects(renewal, { error: 'invalid_grant' });
});
await step('session ended', () => assert.rejects(whoami(), { status: 401 }));

async function authorizationUrl() {
  return openid.buildAuthorizationUrl(client, {
    redirect_uri: REDIRECT_URI,
    scope: 'snippets:read snippets:write',
    state: checks.expectedState,
    code_challenge: await openid.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...resource,
  });
}

async function whoami() {
  assert.match(await call('whoami'), /Carol Independent/);
}

function call(name, args) {
  const send = (url, headers, body) =>
    openid.fetchProtectedResource(client, tokens.access_token, url, 'POST', body, headers);
  return callTool(send, name, args);
}
