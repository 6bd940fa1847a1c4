// The page of MCP Inspector in a real browser: connects by its switch, through our consent page and
// the page of the identity provider, and runs tools by its forms. Everything is clicked or typed, and
// read from the page.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { ERA, SERVER, TOOLS, TRANSPORT, endpoint, freePort, step } from './peer.mjs';

const TEXT = 'fn main() {} // ä ☃ 🦀';
const launcher = fileURLToPath(
  import.meta.resolve('./node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js'));

const ended = new AbortController();
const address = await step('started', start);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // The page would load its fonts from elsewhere; nothing here leaves this machine.
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
});
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
try {
  await walk();
} finally {
  await page.screenshot({ path: join(process.env.SCREENSHOTS, `inspector-${TRANSPORT}-${ERA}.png`) });
  await browser.close();
  ended.abort();
}

/** Starts the Inspector, pointed at our server; returns the address that it prints. */
async function start() {
  const [CLIENT_PORT, MCP_SANDBOX_PORT, MCP_APP_ORIGIN_PORT] = await Promise.all(
    Array.from({ length: 3 }, freePort));
  const env = {
    ...process.env, HOST: '127.0.0.1', CLIENT_PORT, MCP_SANDBOX_PORT, MCP_APP_ORIGIN_PORT,
    MCP_AUTO_OPEN_ENABLED: 'false', MCP_INSPECTOR_SECRET_STORE: 'memory',
  };
  const command = [
    launcher, '--web', '--server-url', endpoint.href, '--transport', TRANSPORT, '--protocol-era', ERA];
  const stdio = ['ignore', 'pipe', 'inherit'];
  const program = spawn(process.execPath, command, { env, stdio, signal: ended.signal });
  program.on('error', () => {});
  for await (const line of createInterface({ input: program.stdout })) {
    const printed = line.match(/http:\/\/127\.0\.0\.1:\d+\S*MCP_INSPECTOR_API_TOKEN\S+/);
    if (printed) return new URL(printed[0]);
  }
  throw new Error('it ended without an address');
}

async function walk() {
  const requests = [];
  page.on('request', (request) => requests.push(request));

  await step('consent page', async () => {
    await page.goto(address.href);
    await page.getByRole('switch', { name: /^Connect or disconnect/ }).click({ force: true });
    await page.waitForURL(`${SERVER.origin}/consent?**`);
    assert.match(await page.locator('h1').textContent(), /MCP Inspector/);
    assert.equal(await page.locator('.place').textContent(), address.host);
  });
  await step('allowed', () => page.getByRole('button', { name: 'Allow' }).click());
  await step('signed in', () => page.getByRole('button', { name: /alice/i }).click());
  await step('connected', async () => {
    await page.waitForURL(`${address.origin}/**`);
    await page.getByText('Connected', { exact: true }).waitFor();
    const revision = TRANSPORT === 'http' && ERA === 'auto' ? '2026-07-28' : /20\d\d-\d\d-\d\d/;
    await page.getByText(revision).first().waitFor();
  });
  await step('tools listed', async () => {
    await page.getByText('Tools', { exact: true }).first().click();
    await page.getByText(`Tools (${TOOLS.length})`).waitFor();
  });
  await step('whoami', async () => assert.match(await run('whoami'), /^Signed in as Alice/));
  const named = { snippetname: `clicked-${ERA}.txt` };
  await step('save_snippet', async () =>
    assert.match(await run('save_snippet', { ...named, snippet: TEXT }), /clicked/));
  await step('get_snippet', async () => assert.equal(await run('get_snippet', named), TEXT));
  // Its own back end speaks to us: the page itself was only led through our pages.
  await step('no script of the page called us', () => {
    const ours = requests.filter((request) => new URL(request.url()).origin === SERVER.origin);
    assert.ok(ours.length > 0);
    assert.deepEqual([...new Set(ours.map((request) => request.frame() === page.mainFrame()
      && ['document', 'stylesheet', 'image'].includes(request.resourceType())))], [true]);
  });
  // Older ones did so, and other pages of this machine may.
  await step('a script of the page may', async () => {
    const [status, challenge] = await page.evaluate(async (url) => {
      const headers = { authorization: 'Bearer none', 'content-type': 'application/json' };
      const answer = await fetch(url, { method: 'POST', headers, body: '{}' });
      return [answer.status, answer.headers.get('www-authenticate')];
    }, SERVER.href);
    assert.equal(status, 401);
    assert.match(challenge, /resource_metadata=/);
  });
}

/** Picks a tool, fills in its form and runs it; returns what the page shows as its result. */
async function run(tool, fields = {}) {
  await page.getByRole('button', { name: new RegExp(`${tool}$`) }).click();
  for (const [name, text] of Object.entries(fields)) {
    await page.getByLabel(new RegExp(`^${name}\\b`)).first().fill(text);
  }
  // The form is gone as soon as there are results, and they are gone when it is back.
  await page.getByRole('button', { name: 'Execute Tool' }).click();
  const results = page.getByText('Results', { exact: true });
  return (await results.locator('xpath=ancestor::*[descendant::pre][1]//pre').first().innerText()).trim();
}
