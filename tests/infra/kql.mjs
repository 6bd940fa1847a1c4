// Reads every query in a folder with the parser and analyser of Azure Data Explorer, against the columns
// that Azure Monitor documents of the tables that we use: node kql.mjs PACKAGES FOLDER

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInThisContext } from 'node:vm';

const [packages, folder] = process.argv.slice(2);

// Each table as https://learn.microsoft.com/azure/azure-monitor/reference/tables lists it, what no query
// has a use for left out. _LogOperation is a function over the table Operation, which reads like one.
const TABLES = JSON.parse(readFileSync(new URL('tables.json', import.meta.url), 'utf8'));

// The package is a script for browsers, which puts its names into the global scope.
for (const script of ['bridge.min.js', 'Kusto.Language.Bridge.min.js']) {
  const path = join(packages, '@kusto/language-service-next', script);
  runInThisContext(readFileSync(path, 'utf8'), { filename: path });
}
const { GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language;
const tables = Object.entries(TABLES).map(([name, columns]) => {
  const schema = Object.entries(columns).map((column) => column.join(': '));
  return Symbols.TableSymbol.From(`(${schema.join(', ')})`).WithName(name);
});
const workspace = GlobalState.Default.WithDatabase(
  new Symbols.DatabaseSymbol.ctor('workspace', tables),
);

const files = readdirSync(folder).filter((name) => name.endsWith('.kql'));
let faults = 0;
for (const file of files) {
  const query = readFileSync(join(folder, file), 'utf8');
  const code = KustoCode.ParseAndAnalyze(query, workspace);
  const found = code.GetDiagnostics();
  for (let index = 0; index < found.Count; index += 1) {
    const { Severity, Message, Start } = found.getItem(index);
    const line = query.slice(0, Start).split('\n').length;
    console.log(`${file}:${line}: ${Severity}: ${Message}`);
    faults += 1;
  }
  if (!code.ResultType?.Columns?.Count) {
    console.log(`${file}: it answers no table`);
    faults += 1;
  }
}
console.log(`${files.length} queries, ${faults} faults`);
process.exit(files.length > 0 && faults === 0 ? 0 : 1);
