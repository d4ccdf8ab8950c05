// `npm test`: every check in order, each with its own output, then one total. Plain JavaScript, for it runs before the build.
// The counts come from the runners: vitest's JSON report for the suites, the exit status for the others (one check each). A
// backend that cannot be used here is one skip. Arguments name the checks to run, all of them by default.
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

/** One vitest project, or some of its files, under a name of its own and with variables of the environment. */
function suite(name, { project = name, files = [], env = {}, flags = [] } = {}) {
  if (only.length > 0 && !only.includes(name)) return;
  console.log(`\n== ${name}`);
  const report = join(scratch, `${name}.json`);
  const args = ["run", "--config", "test/vitest.config.ts", "--project", project, ...flags, ...files];
  const { status } = spawnSync(
    bin("vitest"),
    [...args, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
    {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, ...env },
    },
  );
  let result;
  try {
    result = JSON.parse(readFileSync(report, "utf8"));
  } catch {
    fail(`${name} (no report)`);
    return;
  }
  const failedBefore = totals.failed;
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
  // A process that died takes the rest of its file with it, and the report counts that as skipped.
  if (status !== 0 && totals.failed === failedBefore) fail(`${name} (the runner ended with ${status})`);
}

/** The numeric suites of conformance, those of test-backend.ts, on another backend than wasm; one skip where it is not usable. */
function conformanceOn(backend, env = {}) {
  const name = `conformance on ${backend}`;
  if (only.length > 0 && !only.includes(name)) return;
  const { usable, reason } = probe(backend, env);
  if (usable) {
    const folder = join("test", "conformance");
    const paths = readdirSync(join(root, folder)).map((file) => join(folder, file));
    const numeric = paths.filter((path) => readFileSync(join(root, path), "utf8").includes("/test-backend.ts"));
    suite(name, { project: "conformance", files: numeric, env: { ...env, OCCAM_TEST_BACKEND: backend } });
    return;
  }
  console.log(`\n== ${name}`);
  if (reason === undefined) fail(`${name} (the backend could not be asked)`);
  else {
    console.log(`skipped: ${reason}`);
    totals.skipped += 1;
    skippedNames.push(`${name}: ${reason}`);
  }
}

/** Opens a backend in a process of its own, from the build: usable, or the reason why not. A crash is neither. */
function probe(backend, env) {
  const script = `
    const { loadBackend } = await import(${JSON.stringify(new URL("../dist/worker/engine/backends.js", import.meta.url))});
    const said = await loadBackend(${JSON.stringify(backend)}).then(
      () => ({ usable: true }),
      (error) => ({ usable: false, reason: error.code === "unsupported" ? error.message : undefined }),
    );
    console.log(JSON.stringify(said));
    process.exit(0);`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    return JSON.parse(stdout.trim().split("\n").at(-1));
  } catch {
    return { usable: false };
  }
}

check("lint", bin("oxlint"), ["--type-aware", "--deny-warnings"]);
check("format", bin("prettier"), ["--check", "--log-level", "warn", "."]);
check("unused", bin("knip"), ["--no-progress"]);
check("proto-lint", bin("buf"), ["lint"], proto);
check("proto-breaking", bin("buf"), ["breaking", "--against", "baseline.binpb"], proto);
generatedIsFresh();
check("types", bin("tsc"), ["--noEmit"]);
check("build", "npm", ["run", "build"]);
for (const name of ["unit", "conformance"]) suite(name);
conformanceOn("tensorflow");
// In tests a software device will do.
conformanceOn("webgpu", { OCCAM_WEBGPU_SOFTWARE: "1" });
suite("simulation");
// Much of these is waiting: for leases that end, for processes that stand by.
suite("e2e", { flags: ["--maxWorkers=3"] });

rmSync(scratch, { recursive: true, force: true });
if (skippedNames.length > 0) console.log(`\nSkipped:\n${skippedNames.map((name) => `  ${name}`).join("\n")}`);
if (failedNames.length > 0) console.log(`\nFailed:\n${failedNames.map((name) => `  ${name}`).join("\n")}`);
const tail = totals.skipped > 0 ? `, ${totals.skipped} skipped` : "";
console.log(`\n${totals.passed} passed, ${totals.failed} failed${tail}`);
process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1;
