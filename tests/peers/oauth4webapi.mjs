// oauth4webapi, whose every answer has to pass its checks; only plain http is allowed to it.

import * as oauth from 'oauth4webapi';
import { REDIRECT_URI, SERVER } from './peer.mjs';
import { METHOD, REGISTRATION, SCOPE, walk } from './oauth.mjs';

const http = { [oauth.allowInsecureRequests]: true };
const resource = { additionalParameters: { resource: SERVER.href } };
const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
let server, client, authentication;

await walk({
  async discover() {
    const found = await oauth.resourceDiscoveryRequest(SERVER, http);
    const protectedResource = await oauth.processResourceDiscoveryResponse(SERVER, found);
    const issuer = new URL(protectedResource.authorization_servers[0]);
    const answer = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...http });
    return (server = await oauth.processDiscoveryResponse(issuer, answer));
  },

  async register() {
    const answer = await oauth.dynamicClientRegistrationRequest(server, REGISTRATION, http);
    client = await oauth.processDynamicClientRegistrationResponse(answer);
    authentication = METHOD === 'none' ? oauth.None() : oauth.ClientSecretBasic(client.client_secret);
    return client;
  },

  async authorizationUrl() {
    const url = new URL(server.authorization_endpoint);
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: client.client_id,
      redirect_uri: REDIRECT_URI,
      scope: SCOPE,
      state,
      resource: SERVER.href,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    return url;
  },

  async redeem(back) {
    const parameters = oauth.validateAuthResponse(server, client, back, state);
    const answer = await oauth.authorizationCodeGrantRequest(
      server, client, authentication, parameters, REDIRECT_URI, verifier, { ...resource, ...http });
    return oauth.processAuthorizationCodeResponse(server, client, answer);
  },

  call: (token, url, headers, body) =>
    oauth.protectedResourceRequest(token, 'POST', url, headers, body, http),

  async refresh(token) {
    const answer = await oauth.refreshTokenGrantRequest(
      server, client, authentication, token, { ...resource, ...http });
    return oauth.processRefreshTokenResponse(server, client, answer);
  },

  async revoke(token) {
    const answer = await oauth.revocationRequest(server, client, authentication, token, http);
    return oauth.processRevocationResponse(answer);
  },
});
