// oidc-provider, an independent OpenID provider, in the place of Entra ID: with its path and its
// claims, but with its own pages, tokens and strictness.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';
import { listen } from './peer.mjs';

const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });

/**
 * Serves `issuer`, a loopback URL with a path, for the application `client_id`, whose users are
 * `people`: their claims by what they sign in as. Answers with the `refreshes` that it granted.
 */
export async function serveProvider(issuer, application, people) {
  const provider = new Provider(issuer.href, {
    clients: [{ ...application, grant_types: ['authorization_code', 'refresh_token'] }],
    jwks: { keys: [{ ...key, use: 'sig', alg: 'RS256' }] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    claims: { openid: ['sub', 'oid', 'tid', 'ver'], profile: ['name'] },
    // Like Entra ID: the claims are in the id_token, and the refresh token is a new one each time.
    conformIdTokenClaims: false,
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    findAccount: (_, accountId) =>
      people.has(accountId)
        ? { accountId, claims: () => ({ sub: accountId, ver: '2.0', ...people.get(accountId) }) }
        : undefined,
  });
  const granted = { refreshes: 0 };
  provider.on('grant.success', (context) => {
    if (context.oidc.params.grant_type === 'refresh_token') granted.refreshes += 1;
  });
  provider.on('grant.error', (_, error) => console.error(`oidc-provider: ${error.error_detail ?? error}`));
  provider.on('server_error', (_, error) => console.error('oidc-provider:', error));
  await listen(createServer(below(issuer.pathname, provider.callback())), issuer.port);
  return granted;
}

/** The provider knows its paths without the one that it is mounted at. */
function below(mount, handle) {
  return (request, response) => {
    if (!request.url.startsWith(`${mount}/`)) {
      response.writeHead(404).end();
      return;
    }
    request.originalUrl = request.url;
    request.url = request.url.slice(mount.length);
    handle(request, response);
  };
}
