// A person with a browser: allows and signs in, without a browser's weight.

import assert from 'node:assert/strict';

/** Allows and signs in; returns where the browser comes back to the client, with a code. */
export async function approve(authorizationUrl, signIn = []) {
  const back = await decide(authorizationUrl, [{ decision: 'allow' }, ...signIn]);
  assert.ok(back.searchParams.get('code'), `no code in the answer: ${back.searchParams}`);
  assert.ok(back.searchParams.get('iss'), 'no iss in the answer');
  return back;
}

/** Fills in `forms`, one a page, as a browser would send them; returns where the client is told. */
export async function decide(authorizationUrl, forms) {
  const url = new URL(authorizationUrl);
  const browser = new Browser(url.searchParams.get('redirect_uri'));
  let page = await browser.navigate(url, { headers: fetchMetadata('none') });
  for (const fields of forms) page = await browser.submit(page, fields);
  assert.ok(page instanceof URL, 'the browser was not sent back to the client');
  return page;
}

/** Cookies, redirects and forms, and nothing else. It stops at the client's redirect URI. */
class Browser {
  cookies = new Map();

  constructor(redirectUri) {
    this.redirectUri = redirectUri;
  }

  async submit(page, fields) {
    assert.ok(page instanceof Response, `back at the client too early: ${page.search}`);
    const html = await page.text();
    const hidden = [...html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    assert.ok(hidden.length > 0, `${page.url} has no form with hidden fields`);
    const action = new URL(html.match(/<form[^>]* action="([^"]+)"/)[1], page.url);
    const body = new URLSearchParams(hidden.map(([, name, text]) => [name, text]));
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    const headers = { ...fetchMetadata('same-origin'), origin: action.origin, referer: page.url };
    return this.navigate(action, { method: 'POST', body, headers });
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
      if (url.href.startsWith(this.redirectUri)) return url;
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
