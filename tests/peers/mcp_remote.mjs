// mcp-remote, which brings us to clients that speak to programs on their own machine only: an
// official client starts it, and it opens the browser.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { fileURLToPath } from 'node:url';
import { SERVER, TRANSPORT, ERA, endpoint, useTools } from './peer.mjs';

const program = fileURLToPath(import.meta.resolve('./node_modules/mcp-remote/dist/proxy.js'));
const transport = { http: 'http-only', sse: 'sse-only' }[TRANSPORT];
const args = [program, endpoint.href, '--host', '127.0.0.1', '--transport', transport];
if (ERA === 'auto') args.push('--protocol', 'auto');

const client = new Client({ name: 'peer', version: '0.0.0' });
await client.connect(
  new StdioClientTransport({ command: process.execPath, args, env: { ...process.env }, stderr: 'inherit' }));
await useTools(client);
await client.close();
