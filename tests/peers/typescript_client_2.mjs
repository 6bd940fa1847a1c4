// The official TypeScript client, @modelcontextprotocol/client 2.x: the newest protocol revision
// over Streamable HTTP.

import { Client, StreamableHTTPClientTransport, UnauthorizedError, auth } from '@modelcontextprotocol/client';
import { Provider, SERVER, walk } from './peer.mjs';

const provider = new Provider('TypeScript client 2');
const newTransport = () => new StreamableHTTPClientTransport(SERVER, { authProvider: provider });
const newClient = () =>
  new Client({ name: 'peer', version: '0.0.0' }, { versionNegotiation: { mode: 'auto' } });

const first = newTransport();
await newClient().connect(first).catch((error) => {
  if (!(error instanceof UnauthorizedError)) throw error;
});
await first.finishAuth(provider.answer);

const client = newClient();
await client.connect(newTransport());
await walk(client, provider, () => auth(provider, { serverUrl: SERVER }));
await client.close();
