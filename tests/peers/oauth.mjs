// What an independent OAuth client does here, from discovery to the refusal after revocation. Each
// library does it in its own way and with its own checks; this is the order, and what must come out.

import assert from 'node:assert/strict';
import { approve } from './person.mjs';
import { REDIRECT_URI, callTool, step } from './peer.mjs';

/** How the client proves itself at the token endpoint. */
export const METHOD = process.argv[3];
export const SCOPE = 'snippets:read snippets:write';
/** The client as it introduces itself (RFC 7591 section 2). */
export const REGISTRATION = {
  client_name: 'An OAuth client',
  redirect_uris: [REDIRECT_URI],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: METHOD,
};

/**
 * Walks the whole way. `client` has `discover`, `register`, `authorizationUrl`, `redeem` (what came
 * back in a URL), `call` (`/mcp` with a token), `refresh` and `revoke`, all by its library.
 */
export async function walk(client) {
  const metadata = await step('discovery', () => client.discover());
  await step('registration', async () => {
    const registered = await client.register();
    assert.equal(registered.token_endpoint_auth_method, METHOD);
    assert.equal('client_secret' in registered, METHOD !== 'none');
  });
  const url = await client.authorizationUrl();
  const back = await step('consent and sign-in', () => approve(url));
  await step('issuer checked', async () => {
    assert.equal(back.searchParams.get('iss'), metadata.issuer);
    await refusesForeignIssuers(client, back);
  });
  const first = await step('code redeemed', () => client.redeem(back));
  await step('whoami', () => whoami(client, first.access_token));
  const second = await step('refresh', async () => {
    const renewed = await client.refresh(first.refresh_token);
    assert.notEqual(renewed.access_token, first.access_token);
    assert.notEqual(renewed.refresh_token, first.refresh_token);
    return renewed;
  });
  await step('whoami after refresh', () => whoami(client, second.access_token));
  await step('revocation', () => client.revoke(second.refresh_token));
  await step('refresh refused', () =>
    assert.rejects(client.refresh(second.refresh_token), { error: 'invalid_grant' }));
}

/** The library looks at `iss` before it sends the code anywhere (RFC 9207 section 2.4). */
async function refusesForeignIssuers(client, back) {
  const foreign = new URL(back);
  foreign.searchParams.set('iss', 'https://other.example');
  const nameless = new URL(back);
  nameless.searchParams.delete('iss');
  const namesIt = (error) => /"iss"/.test(`${error} ${error.cause}`);
  for (const answer of [foreign, nameless]) await assert.rejects(client.redeem(answer), namesIt);
}

async function whoami(client, token) {
  const send = (url, headers, body) => client.call(token, url, headers, body);
  assert.match(await callTool(send, 'whoami'), /alice/i);
}
