// The official TypeScript client, @modelcontextprotocol/sdk 1.x: the protocol revisions that
// begin with `initialize`.

import { UnauthorizedError, auth } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Provider, TRANSPORT, endpoint, walk } from './peer.mjs';

const provider = new Provider('TypeScript sdk 1');
const Transport = TRANSPORT === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
const newTransport = () => new Transport(endpoint, { authProvider: provider });
const newClient = () => new Client({ name: 'peer', version: '0.0.0' });

const first = newTransport();
await newClient().connect(first).catch((error) => {
  if (!(error instanceof UnauthorizedError)) throw error;
});
await first.finishAuth(provider.answer.get('code'));

const client = newClient();
await client.connect(newTransport());
await walk(client, provider, () => auth(provider, { serverUrl: endpoint }));
await client.close();
