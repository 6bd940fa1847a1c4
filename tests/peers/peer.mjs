// What the TypeScript peers share: reported steps, an OAuth provider that remembers, and a walk
// through the tools.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { approve } from './person.mjs';

export const SERVER = new URL(process.argv[2]);
/** How a client of MCP gets here: `http` for Streamable HTTP, or `sse` for HTTP+SSE. */
export const [TRANSPORT, ERA] = process.argv.slice(3);
/** Where a client of MCP is pointed at. */
export const endpoint = new URL(TRANSPORT === 'sse' ? `${SERVER}/sse` : SERVER);
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

/** Serves on this machine until the process ends. */
export async function listen(server, port) {
  await new Promise((listening, failed) => {
    server.once('error', failed).listen(Number(port), '127.0.0.1', listening);
  });
  server.unref();
}

/** A port of this machine at which nothing listens. */
export async function freePort() {
  const server = createServer();
  await listen(server, 0);
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
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
    this.answer = (await step('consent', () => approve(url))).searchParams;
  }
}

/** Uses the tools, then refreshes and uses them again. `refresh` is the client's own way. */
export async function walk(client, provider, refresh) {
  const call = await useTools(client);
  await step('refresh', async () => {
    const before = provider.stored;
    assert.equal(await refresh(), 'AUTHORIZED');
    assert.notEqual(provider.stored.access_token, before.access_token);
    assert.notEqual(provider.stored.refresh_token, before.refresh_token);
  });
  await step('call after refresh', async () => assert.match(await call('whoami'), /alice/i));
}

/** Uses the tools; returns how. */
export async function useTools(client) {
  const call = async (name, args = {}) => {
    const result = await client.callTool({ name, arguments: args });
    const text = result.content.map((part) => part.text ?? '').join('');
    assert.ok(!result.isError, `${name} failed: ${text}`);
    return text;
  };
  // Nobody else saves it, so that nothing is overwritten.
  const named = { snippetname: `peer-${randomUUID()}.txt` };

  await step('sign-in', async () => assert.match(await call('whoami'), /alice/i));
  await step('tools/list', async () => {
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map((tool) => tool.name).sort(), TOOLS);
  });
  await step('save_snippet', () => call('save_snippet', { ...named, snippet: TEXT }));
  await step('get_snippet', async () => assert.equal(await call('get_snippet', named), TEXT));
  return call;
}

/** The text that a tool answers to one bare request, which `send` gives its token and sends. */
export async function callTool(send, name, args = {}) {
  const headers = new Headers({
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  });
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } };
  const answer = await send(SERVER, headers, JSON.stringify(message));
  assert.equal(answer.status, 200);
  const { result } = await answer.json();
  assert.ok(!result.isError, JSON.stringify(result));
  return result.content.map((part) => part.text ?? '').join('');
}
