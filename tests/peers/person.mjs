// A person with a browser: allows and signs in, without a browser's weight.

import assert from 'node:assert/strict';
import { REDIRECT_URI } from './peer.mjs';

/** Allows and signs in, as a browser would send it; returns the parameters that reach the client. */
export async function approve(authorizationUrl) {
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
