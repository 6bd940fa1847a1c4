// The official TypeScript client, @modelcontextprotocol/client 2.x: the newest protocol revision
// (`auto`), and those before it.

import assert from 'node:assert/strict';
import {
  Client, SSEClientTransport, StreamableHTTPClientTransport, UnauthorizedError, auth,
} from '@modelcontextprotocol/client';
import { ERA, Provider, TRANSPORT, endpoint, step, walk } from './peer.mjs';

const provider = new Provider('TypeScript client 2');
const Transport = TRANSPORT === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
const newTransport = () => new Transport(endpoint, { authProvider: provider });
const newClient = () =>
  new Client({ name: 'peer', version: '0.0.0' }, { versionNegotiation: { mode: ERA } });

const first = newTransport();
await newClient().connect(first).catch((error) => {
  if (!(error instanceof UnauthorizedError)) throw error;
});
await first.finishAuth(provider.answer);

const client = newClient();
await client.connect(newTransport());
await step('revision', () => {
  const newest = TRANSPORT === 'http' && ERA === 'auto';
  assert.equal(client.getNegotiatedProtocolVersion(), newest ? '2026-07-28' : '2025-11-25');
});
await walk(client, provider, () => auth(provider, { serverUrl: endpoint }));
await client.close();
