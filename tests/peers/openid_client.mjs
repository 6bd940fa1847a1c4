// openid-client, the library that most relying parties in Node.js are written with. It discovers
// by OpenID Connect as a public client, and by RFC 8414 as a confidential one.

import * as openid from 'openid-client';
import { REDIRECT_URI, SERVER } from './peer.mjs';
import { METHOD, REGISTRATION, SCOPE, walk } from './oauth.mjs';

const options = {
  algorithm: METHOD === 'none' ? 'oidc' : 'oauth2',
  execute: [openid.allowInsecureRequests],
};
const resource = { resource: SERVER.href };
const verifier = openid.randomPKCECodeVerifier();
const state = openid.randomState();
let client;

await walk({
  async discover() {
    const found = await openid.discovery(new URL(SERVER.origin), 'unused', {}, openid.None(), options);
    return found.serverMetadata();
  },

  async register() {
    const authentication = METHOD === 'none' ? openid.None() : openid.ClientSecretPost();
    client = await openid.dynamicClientRegistration(
      new URL(SERVER.origin), REGISTRATION, authentication, options);
    return client.clientMetadata();
  },

  authorizationUrl: async () =>
    openid.buildAuthorizationUrl(client, {
      redirect_uri: REDIRECT_URI,
      scope: SCOPE,
      state,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...resource,
    }),

  redeem: (back) =>
    openid.authorizationCodeGrant(
      client, back, { pkceCodeVerifier: verifier, expectedState: state }, resource),

  call: (token, url, headers, body) =>
    openid.fetchProtectedResource(client, token, url, 'POST', body, headers),

  refresh: (token) => openid.refreshTokenGrant(client, token, resource),

  revoke: (token) => openid.tokenRevocation(client, token),
});
