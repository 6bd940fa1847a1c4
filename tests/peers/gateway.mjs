// A gateway in the place of API Management: one origin, two apps, the key that opens them, and the
// header that they trust.

import { createServer, request as send } from 'node:http';
import { listen } from './peer.mjs';

const MCP = /^\/(mcp|\.well-known\/oauth-protected-resource)([/?]|$)/;

/** Serves `port`: what is of MCP from the port `mcp`, everything else from the port `oauth`. */
export async function serveGateway(port, { oauth, mcp, key }) {
  const server = createServer((incoming, answer) => {
    // Whatever the client sent under these names is replaced.
    const trusted = { 'x-client-address': incoming.socket.remoteAddress, 'x-functions-key': key };
    const headers = { ...incoming.headers, ...trusted };
    const { method, url: path } = incoming;
    const to = { host: '127.0.0.1', port: MCP.test(path) ? mcp : oauth, method, path, headers };
    const outgoing = send(to, (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    outgoing.on('error', () => answer.destroy());
    incoming.pipe(outgoing);
  });
  await listen(server, port);
}
