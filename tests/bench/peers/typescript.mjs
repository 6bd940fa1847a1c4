// The least that a server on the official SDK for TypeScript can do, without sessions and with JSON
// answers: one tool, and a token that is compared with the only one there is.

import { createServer } from 'node:http';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { McpServer } from '@modelcontextprotocol/server';

const [, , port, token] = process.argv;
const authorization = `Bearer ${token}`;

// As the SDK has it for servers without sessions: a server and a transport for each request.
function greeter() {
  const server = new McpServer({ name: 'bare-typescript', version: '1.0.0' });
  server.registerTool('hello_mcp', { description: 'Says hello.' }, () => ({
    content: [{ type: 'text', text: 'Hello I am MCPTool!' }],
  }));
  return server;
}

createServer(async (request, response) => {
  if (request.headers.authorization !== authorization) {
    response.writeHead(401).end();
    return;
  }
  const server = greeter();
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: undefined,
    enableJsonResponse: true,
  });
  response.on('close', () => server.close());
  await server.connect(transport);
  await transport.handleRequest(request, response);
}).listen(Number(port), '127.0.0.1');
