// The official TypeScript client, @modelcontextprotocol/sdk 1.x, on streams that end after three
// seconds: it opens the next one by itself, and no call that it makes meanwhile stays without answer.

import assert from 'node:assert/strict';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { endpoint, step } from './peer.mjs';

/** Longer than four streams live. */
const LASTS = 14_000;

let opened = 0;
const headers = { Authorization: `Bearer ${process.env.TOKEN}` };
const open = (url, init) => {
  opened += 1;
  const all = new Headers(init.headers);
  all.set('Authorization', headers.Authorization);
  return fetch(url, { ...init, headers: all });
};
const client = new Client({ name: 'peer', version: '0.0.0' });
await step('connected', () => client.connect(
  new SSEClientTransport(endpoint, { eventSourceInit: { fetch: open }, requestInit: { headers } }),
));

let answered = 0;
await step('every call answered', async () => {
  const until = Date.now() + LASTS;
  while (Date.now() < until) {
    const { content } = await client.callTool({ name: 'test_simple_text', arguments: {} }, undefined, { timeout: 5_000 });
    assert.match(content[0].text, /simple text/);
    answered += 1;
    await new Promise((passed) => setTimeout(passed, 20));
  }
});
await step('streams opened anew', () => assert.ok(opened >= 4, `opened ${opened} times`));
await step('hundreds of calls', () => assert.ok(answered > 200, `${answered} answers`));
process.exit();
