// `npm test`: every check in order, each with its own output, then one total. Plain JavaScript, for it runs before the build.
// The counts come from the runners: vitest's JSON report for the suites, the exit status for the others (one check each).
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const proto = join(root, "proto");
const scratch = mkdtempSync(join(tmpdir(), "occam-test-"));
const only = process.argv.slice(2);

const bin = (name) => join(root, "node_modules", ".bin", name);
const totals = { passed: 0, failed: 0, skipped: 0 };
const skippedNames = [];
const failedNames = [];

/** A check that passes or fails as a whole. */
function check(name, command, args, cwd = root) {
  if (only.length > 0 && !only.includes(name)) return;
  console.log(`\n== ${name}`);
  const { status } = spawnSync(command, args, { cwd, stdio: "inherit", shell: process.platform === "win32" });
  if (status === 0) totals.passed += 1;
  else fail(name);
}

function fail(name) {
  totals.failed += 1;
  failedNames.push(name);
}

/** Generated code is what the .proto files say: generate again beside it and compare. */
function generatedIsFresh() {
  const name = "generated";
  if (only.length > 0 && !only.includes(name)) return;
  console.log(`\n== ${name} (proto/gen against proto/occam)`);
  const out = join(scratch, "proto");
  const { status } = spawnSync(bin("buf"), ["generate", "--output", out], { cwd: proto, stdio: "inherit" });
  const tree = (folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(folder.length), readFileSync(path, "utf8")])
      .sort(([left], [right]) => (left < right ? -1 : 1));
  const same = status === 0 && JSON.stringify(tree(join(out, "gen"))) === JSON.stringify(tree(join(proto, "gen")));
  if (same) totals.passed += 1;
  else {
    console.log("proto/gen is stale: run `npm run gen` and commit the result");
    fail(name);
  }
}

/** One vitest project. */
function suite(name) {
  if (only.length > 0 && !only.includes(name)) return;
  console.log(`\n== ${name}`);
  const report = join(scratch, `${name}.json`);
  const args = ["run", "--config", "test/vitest.config.ts", "--project", name];
  spawnSync(bin("vitest"), [...args, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`], {
    cwd: root,
    stdio: "inherit",
  });
  let result;
  try {
    result = JSON.parse(readFileSync(report, "utf8"));
  } catch {
    fail(`${name} (no report)`);
    return;
  }
  totals.passed += result.numPassedTests;
  totals.skipped += result.numPendingTests + result.numTodoTests;
  for (const file of result.testResults) {
    const failed = file.assertionResults.filter((test) => test.status === "failed");
    for (const test of failed) fail(`${name}: ${test.fullName}`);
    if (file.status === "failed" && failed.length === 0) fail(`${name}: ${file.name}: ${file.message}`);
    for (const test of file.assertionResults) {
      if (["pending", "skipped", "todo"].includes(test.status)) skippedNames.push(`${name}: ${test.fullName}`);
    }
  }
  if (result.numTotalTests === 0) fail(`${name} (no test ran)`);
}

check("lint", bin("oxlint"), ["--type-aware", "--deny-warnings"]);
check("format", bin("prettier"), ["--check", "--log-level", "warn", "."]);
check("unused", bin("knip"), ["--no-progress"]);
check("proto-lint", bin("buf"), ["lint"], proto);
check("proto-breaking", bin("buf"), ["breaking", "--against", "baseline.binpb"], proto);
generatedIsFresh();
check("types", bin("tsc"), ["--noEmit"]);
check("build", "npm", ["run", "build"]);
for (const name of ["unit", "conformance", "simulation", "e2e"]) suite(name);

rmSync(scratch, { recursive: true, force: true });
if (skippedNames.length > 0) console.log(`\nSkipped:\n${skippedNames.map((name) => `  ${name}`).join("\n")}`);
if (failedNames.length > 0) console.log(`\nFailed:\n${failedNames.map((name) => `  ${name}`).join("\n")}`);
const tail = totals.skipped > 0 ? `, ${totals.skipped} skipped` : "";
console.log(`\n${totals.passed} passed, ${totals.failed} failed${tail}`);
process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1;
