// A real browser, without JavaScript: consents by keyboard, signs in by mouse, comes back with a
// code, which is redeemed. A website is remembered where its user wants that, and its user looks
// after what is connected. Its pages must load nothing and break no policy of their own.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';
import { SERVER, TOOLS, step } from './peer.mjs';

const WEBSITE = 'https://app.example/callback';
const origin = SERVER.origin;
const verifier = randomBytes(32).toString('base64url');
const landed = [];
let link;
const listener = createServer((request, response) => {
  landed.push(new URL(request.url, redirectUri));
  response.setHeader('content-type', 'text/html');
  response.end(link ? `<a href="${link}">elsewhere</a>` : 'back at the client');
});
await new Promise((listening) => listener.listen(0, '127.0.0.1', listening));
const redirectUri = `http://127.0.0.1:${listener.address().port}/callback`;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

try {
  await walk(await browser.newContext({ javaScriptEnabled: false }));
} finally {
  await browser.close();
  listener.close();
}

async function walk(context) {
  const page = await context.newPage();
  const complaints = [];
  const requests = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('request', (request) => requests.push(request));

  await step('landing page', async () => {
    await page.goto(`${origin}/`);
    assert.deepEqual((await page.locator('dt').allTextContents()).sort(), TOOLS);
    assert.equal(await page.locator('#address + pre').textContent(), SERVER.href);
  });
  const clientId = await step('registration', () => register("A browser's client", redirectUri));
  await step('consent page', async () => {
    await page.goto(authorizationUrl(clientId).href);
    assert.match(await page.locator('h1').textContent(), /A browser's client/);
    assert.equal(await page.locator('.place').textContent(), new URL(redirectUri).host);
    assert.match(await page.locator('.warning').textContent(), /program on this computer/);
  });
  await step('allow by keyboard', async () => {
    const allow = page.getByRole('button', { name: 'Allow' });
    await tabTo(page, allow);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: /alice/i }).waitFor();
  });
  await step('Origin of the form', async () => {
    const post = requests.find((request) => request.method() === 'POST');
    const headers = await post.allHeaders();
    assert.equal(headers.origin, origin);
    assert.equal(headers['sec-fetch-site'], 'same-origin');
  });
  await step('sign in by mouse', () => page.getByRole('button', { name: /alice/i }).click());
  const code = await step('back at the client', async () => {
    await page.waitForURL(`${redirectUri}?**`);
    const { searchParams } = landed[0];
    assert.equal(searchParams.get('state'), 'kept as it is');
    assert.equal(searchParams.get('iss'), origin);
    assert.ok(searchParams.get('code'));
    return searchParams.get('code');
  });
  await step('code redeemed', () => redeem(clientId, code));
  const alice = page.getByRole('button', { name: /alice/i });
  const asked = async () => assert.match(await page.locator('h1').textContent(), /^Allow/);
  await step('asked again', async () => {
    await page.goto(authorizationUrl(clientId).href);
    await asked();
  });
  await step('a program on this computer is not remembered', async () => {
    assert.equal(await page.getByLabel(/do not ask me again/i).count(), 0);
  });
  await context.route(`${WEBSITE}?**`, (route) => route.fulfill({ body: 'back at the website' }));
  const website = await register("A browser's website", WEBSITE);
  const toWebsite = () => page.waitForURL(`${WEBSITE}?code=**`);
  const authorize = () => page.goto(authorizationUrl(website, WEBSITE).href);
  await step('remembered', async () => {
    await authorize();
    await page.getByLabel(/do not ask me again/i).check();
    await page.getByRole('button', { name: 'Allow' }).click();
    await alice.click();
    await toWebsite();
    await redeem(website, new URL(page.url()).searchParams.get('code'), WEBSITE);
    await authorize();
    await alice.click();
    await toWebsite();
  });
  await step('asked where another site leads', async () => {
    link = authorizationUrl(website, WEBSITE).href;
    for (const host of ['localhost', '127.0.0.1']) {
      await page.goto(`http://${host}:${new URL(redirectUri).port}/`);
      await page.getByRole('link').click();
      await asked();
    }
    link = undefined;
  });
  await step('connections seen and revoked', async () => {
    await page.goto(`${origin}/`);
    await page.getByRole('link', { name: /connected programs/i }).click();
    await page.getByRole('button', { name: 'Sign in' }).click();
    await alice.click();
    await page.waitForURL(`${origin}/account`);
    const names = () => page.locator('.name').allTextContents();
    assert.deepEqual((await names()).sort(), ["A browser's client", "A browser's website"]);
    await page.getByRole('button', { name: "Revoke A browser's website" }).click();
    await page.waitForURL(`${origin}/account`);
    assert.deepEqual(await names(), ["A browser's client"]);
    await page.getByRole('button', { name: /^Revoke A browser/ }).click();
    await page.getByText('No program is connected').waitFor();
  });
  await step('asked after a revocation', async () => {
    await authorize();
    await alice.click();
    await asked();
  });
  await step('signed out', async () => {
    await page.goto(`${origin}/account`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    const left = (await context.cookies()).filter(({ name }) => name.startsWith('mcp-'));
    assert.deepEqual(left, []);
  });
  await step('no complaint of the browser', () => assert.deepEqual(complaints, []));
  await step('nothing from elsewhere', () => {
    const hosts = new Set(requests.map((request) => new URL(request.url()).host));
    const client = new URL(redirectUri);
    const own = [SERVER.host, client.host, `localhost:${client.port}`, new URL(WEBSITE).host];
    assert.deepEqual([...hosts].sort(), own.sort());
  });
}

async function tabTo(page, target) {
  for (let presses = 0; presses < 5; presses++) {
    await page.keyboard.press('Tab');
    if (await target.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error('the button cannot be reached with the Tab key');
}

async function register(name, uri) {
  const answer = await fetch(`${origin}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: name,
      redirect_uris: [uri],
      token_endpoint_auth_method: 'none',
    }),
  });
  assert.equal(answer.status, 201);
  return (await answer.json()).client_id;
}

function authorizationUrl(clientId, uri = redirectUri) {
  const url = new URL('/authorize', origin);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: uri,
    scope: 'snippets:read snippets:write',
    state: 'kept as it is',
    resource: SERVER.href,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  return url;
}

async function redeem(clientId, code, uri = redirectUri) {
  const answer = await fetch(`${origin}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: clientId,
      redirect_uri: uri,
      code,
      code_verifier: verifier,
      resource: SERVER.href,
    }),
  });
  assert.equal(answer.status, 200);
  assert.match((await answer.json()).access_token, /^mcp_at_/);
}
