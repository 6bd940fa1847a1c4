// What the TypeScript peers share: reported steps, a person who allows and signs in, an OAuth
// provider that remembers, and a walk through the tools.

import assert from 'node:assert/strict';

export const SERVER = new URL(process.argv[2]);
export const REDIRECT_URI = 'http://127.0.0.1:53122/callback';
export const TOOLS = ['delete_snippet', 'get_snippet', 'hello_mcp', 'list_snippets', 'save_snippet', 'whoami'];
const TEXT = 'fn main() {}\n\tä ☃ 🦀 </script>\n';

/** Reports how a part of the walk ended: its name, a tab, and `ok` or what went wrong. */
export async function step(name, work) {
  try {
    const result = await work();
    console.log(`${name}\tok`);
    return result;
  } catch (error) {
    console.log(`${name}\t${`${error}`.replace(/\s+/g, ' ').slice(0, 300)}`);
    throw error;
  }
}

/** An OAuth provider in memory. Where it would open a browser, the person has decided already. */
export class Provider {
  constructor(name) {
    this.redirectUrl = REDIRECT_URI;
    this.clientMetadata = {
      client_name: name,
      redirect_uris: [REDIRECT_URI],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  clientInformation = () => this.client;
  tokens = () => this.stored;
  saveTokens = (tokens) => void (this.stored = tokens);
  codeVerifier = () => this.verifier;
  saveCodeVerifier = (verifier) => void (this.verifier = verifier);
  discoveryState = () => this.discovered;
  saveDiscoveryState = (state) => void (this.discovered = state);

  async saveClientInformation(client) {
    await step('registration', () => {
      assert.ok(client.client_id, 'no client_id');
      assert.equal(client.token_endpoint_auth_method, 'none');
    });
    this.client = client;
  }

  async redirectToAuthorization(url) {
    await step('PKCE', () => {
      assert.equal(url.searchParams.get('code_challenge_method'), 'S256');
      assert.equal(url.searchParams.get('resource'), SERVER.href);
    });
    this.answer = await step('consent', () => approve(url));
  }
}

/** Allows and signs in, as a browser would send it; returns the parameters that reach the client. */
async function approve(authorizationUrl) {
  const browser = new Browser();
  const page = await browser.navigate(authorizationUrl, { headers: fetchMetadata('none') });
  const location = await browser.submit(page, 'decision', 'allow');
  const parameters = new URL(location).searchParams;
  assert.ok(parameters.get('code'), `no code in the answer: ${parameters}`);
  assert.ok(parameters.get('iss'), 'no iss in the answer');
  return parameters;
}

/** Cookies, redirects and forms, and nothing else. It stops at the client's redirect URI. */
class Browser {
  cookies = new Map();

  async submit(page, button, value) {
    const html = await page.text();
    const hidden = [...html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    assert.ok(hidden.length > 0, `${page.url} has no form with hidden fields`);
    const action = new URL(html.match(/<form[^>]* action="([^"]+)"/)[1], page.url);
    return this.navigate(action, {
      method: 'POST',
      body: new URLSearchParams([...hidden.map(([, name, text]) => [name, text]), [button, value]]),
      headers: { ...fetchMetadata('same-origin'), origin: action.origin, referer: page.url },
    });
  }

  async navigate(url, request) {
    for (let hops = 0; hops < 12; hops++) {
      const cookie = [...this.cookies].map((pair) => pair.join('=')).join('; ');
      const headers = { ...request.headers, ...(cookie && { cookie }) };
      const answer = await fetch(url, { ...request, headers, redirect: 'manual' });
      for (const line of answer.headers.getSetCookie()) this.remember(line);
      const location = answer.headers.get('location');
      if (location === null) {
        assert.equal(answer.status, 200, `${answer.status} from ${url}`);
        return answer;
      }
      url = new URL(location, url);
      if (url.href.startsWith(REDIRECT_URI)) return url.href;
      request = { headers: fetchMetadata('same-origin') };
    }
    throw new Error('too many redirects');
  }

  remember(line) {
    const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
    if (/max-age=0(;|$)/i.test(line)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

function fetchMetadata(site) {
  return {
    'sec-fetch-site': site,
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
  };
}

/** Uses the tools, then refreshes and uses them again. `refresh` is the client's own way. */
export async function walk(client, provider, refresh) {
  const call = async (name, args) => {
    const result = await client.callTool({ name, arguments: args });
    const text = result.content.map((part) => part.text ?? '').join('');
    assert.ok(!result.isError, `${name} failed: ${text}`);
    return text;
  };
  const named = { snippetname: 'peer.txt' };

  await step('sign-in', async () => assert.match(await call('whoami', {}), /alice/i));
  await step('tools/list', async () => {
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map((tool) => tool.name).sort(), TOOLS);
  });
  await step('save_snippet', () => call('save_snippet', { ...named, snippet: TEXT }));
  await step('get_snippet', async () => assert.equal(await call('get_snippet', named), TEXT));
  await step('refresh', async () => {
    const before = provider.stored;
    assert.equal(await refresh(), 'AUTHORIZED');
    assert.notEqual(provider.stored.access_token, before.access_token);
    assert.notEqual(provider.stored.refresh_token, before.refresh_token);
  });
  await step('call after refresh', async () => assert.equal(await call('get_snippet', named), TEXT));
}
