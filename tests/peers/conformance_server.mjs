// The conformance suite of MCP, as far as it is about MCP servers: every scenario that a revision of
// the protocol requires. The server is tests/conformance, behind our bearer layer; since the suite
// knows no tokens, a proxy adds one to each of its requests. The names of the scenarios come in.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer, request as send } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SERVER, listen, step } from './peer.mjs';

const [, , , revision, baseline, least] = process.argv;
const authorization = `Bearer ${process.env.TOKEN}`;
const expected = [...readFileSync(baseline, 'utf8').matchAll(/^ {2}- ([\w-]+)/gm)].map(([, name]) => name);
const required = new Set(readFileSync(0, 'utf8').split('\n').filter(Boolean));
const results = mkdtempSync(join(tmpdir(), 'conformance-'));
const suite = fileURLToPath(
  import.meta.resolve('./node_modules/@modelcontextprotocol/conformance/dist/index.js'));

try {
  await step('refused without a token', async () =>
    assert.equal((await fetch(SERVER, { method: 'POST' })).status, 401));
  const exitCode = await run(await serveProxy());
  let passed = 0;
  for (const directory of readdirSync(results)) {
    const scenario = directory.match(/^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/)[1];
    const checks = JSON.parse(readFileSync(join(results, directory, 'checks.json')));
    const failed = checks.filter(({ status }) => status === 'FAILURE');
    const complaints = failed.map(({ id, errorMessage }) => `${id}: ${errorMessage}`);
    if (failed.length > 0 && expected.includes(scenario)) {
      console.log(`${scenario}\tset aside: it needs a session`);
    } else {
      await step(scenario, () => assert.deepEqual(complaints, [])).catch(() => {});
    }
    if (failed.length === 0 && required.has(scenario)) passed++;
  }
  await step(`${least} of ${required.size} pass`, () => assert.equal(passed, Number(least)));
  await step('run to its end', () => assert.equal(exitCode, 0));
} finally {
  rmSync(results, { recursive: true });
}

/** Forwards everything to the server, and adds the token; returns where. */
async function serveProxy() {
  const proxy = createServer((incoming, answer) => {
    const { method, url: path } = incoming;
    const headers = { ...incoming.headers, authorization };
    const outgoing = send({ host: SERVER.hostname, port: SERVER.port, method, path, headers }, (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    outgoing.on('error', () => answer.destroy());
    answer.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  await listen(proxy, 0);
  const here = new URL(SERVER);
  here.port = proxy.address().port;
  return here;
}

async function run(url) {
  const command = [suite, 'server', '--url', url.href, '--requirements', revision, '--output-dir', results];
  if (expected.length > 0) command.push('--expected-failures', baseline);
  const program = spawn(process.execPath, command, { stdio: ['ignore', 2, 2] });
  return new Promise((ended) => program.once('exit', ended));
}
