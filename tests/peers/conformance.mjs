// The conformance suite of MCP, as far as it is about authorization servers. It prints the address
// that a person has to open, and waits for the browser to come back.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { approve } from './person.mjs';
import { SERVER, step } from './peer.mjs';

const port = process.argv[3];
const results = mkdtempSync(join(tmpdir(), 'conformance-'));
const suite = fileURLToPath(
  import.meta.resolve('./node_modules/@modelcontextprotocol/conformance/dist/index.js'));

try {
  const clientId = await step('registration', register);
  const exitCode = await run(clientId);
  for (const scenario of readdirSync(results)) {
    const checks = JSON.parse(readFileSync(join(results, scenario, 'checks.json')));
    for (const { id, status, errorMessage } of checks) {
      await step(id, () => assert.equal(status, 'SUCCESS', errorMessage));
    }
  }
  await step('run to its end', () => assert.equal(exitCode, 0));
} finally {
  rmSync(results, { recursive: true });
}

async function register() {
  const answer = await fetch(new URL('/register', SERVER), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: [`http://127.0.0.1:${port}/callback`],
      token_endpoint_auth_method: 'none',
    }),
  });
  assert.equal(answer.status, 201);
  return (await answer.json()).client_id;
}

async function run(clientId) {
  const command = [
    suite, 'authorization', '--url', SERVER.origin, '--client-id', clientId,
    '--resource', SERVER.href, '--port', port, '--output-dir', results,
  ];
  const program = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((end) => program.once('exit', end));
  try {
    for await (const line of createInterface({ input: program.stdout })) {
      console.error(line);
      if (line.startsWith(`${SERVER.origin}/authorize?`)) {
        await fetch(await approve(line), { headers: { connection: 'close' } });
      }
    }
  } catch (error) {
    // It would wait five minutes for the browser.
    program.kill();
    throw error;
  }
  return ended;
}
