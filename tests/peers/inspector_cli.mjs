// The MCP Inspector on the command line: one program for each request, and one sign-in for all, since
// it keeps its tokens in its home.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ERA, TRANSPORT, endpoint, freePort, useTools } from './peer.mjs';

const program = fileURLToPath(
  import.meta.resolve('./node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js'));
const callback = `http://127.0.0.1:${await freePort()}/oauth/callback`;
// It opens a browser though nobody sits at a terminal, and keeps its tokens though there is no keychain.
const env = { ...process.env, MCP_AUTO_OPEN_ENABLED: 'true', MCP_INSPECTOR_SECRET_STORE: 'file' };

async function run(...request) {
  const command = [
    program, '--cli', '--server-url', endpoint.href, '--transport', TRANSPORT, '--protocol-era', ERA,
    '--callback-url', callback, '--format', 'json', ...request,
  ];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, command, { env });
  console.error(stderr);
  return JSON.parse(stdout).result;
}

await useTools({
  listTools: () => run('--method', 'tools/list'),
  callTool: ({ name, arguments: args }) =>
    run('--method', 'tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(args)),
});
