// The same with HTTP+SSE, which only the SDK's first major version serves.

import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import express from 'express';

const [, , port, token] = process.argv;
const authorization = `Bearer ${token}`;
const transports = new Map();
const app = express();

app.use((request, response, next) => {
  if (request.headers.authorization === authorization) next();
  else response.status(401).end();
});

app.get('/mcp/sse', async (_, response) => {
  const server = new McpServer({ name: 'bare-typescript', version: '1.0.0' });
  server.registerTool('hello_mcp', { description: 'Says hello.' }, () => ({
    content: [{ type: 'text', text: 'Hello I am MCPTool!' }],
  }));
  const transport = new SSEServerTransport('/mcp/message', response);
  transports.set(transport.sessionId, transport);
  response.on('close', () => transports.delete(transport.sessionId));
  await server.connect(transport);
});

app.post('/mcp/message', (request, response) =>
  transports.get(request.query.sessionId).handlePostMessage(request, response));

app.listen(Number(port), '127.0.0.1');
