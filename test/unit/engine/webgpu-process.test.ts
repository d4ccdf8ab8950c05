/** Whole processes with the webgpu backend, from the build: how they end, and what is refused before anything computes. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { WEBGPU_MISSING } from "./webgpu-fixture.ts";

const BUILT = new URL("../../../dist/worker/engine/webgpu/load.js", import.meta.url);
const missing = WEBGPU_MISSING ?? (existsSync(BUILT) ? undefined : "skipped: not built, run npm run build");

/** A process of its own that loads the backend as `loaded`, or `refused`, and runs this. */
function run(script: string, env: Readonly<Record<string, string>>) {
  const module = `
    const { loadWebgpu } = await import(${JSON.stringify(BUILT)});
    const [loaded, refused] = await loadWebgpu().then((loaded) => [loaded], (error) => [undefined, error]);
    ${script}`;
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", module], {
    env: { ...process.env, ...env },
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status, signal, stdout: stdout.trim(), stderr };
}

describe.skipIf(missing !== undefined)(`a process with the webgpu backend (${missing ?? "available"})`, () => {
  const compute = `
    const { tf } = loaded;
    const x = tf.randomNormal([50, 50]);
    tf.matMul(x, x).dataSync();
    for (let i = 0; i < 40; i += 1) tf.matMul(x, x);`;

  test.each([
    ["by itself, with work that no one waits for", "", 0],
    ["by itself, while a reading is awaited by no one", "void x.data();", 0],
    ["by process.exit", "process.exit(3);", 3],
    ["by an error that no one caught", "throw new Error('thrown');", 1],
  ])(
    "ends %s, and does not crash",
    (_how, end, status) => {
      for (let repeat = 0; repeat < 3; repeat += 1) {
        const ended = run(`${compute}\n${end}`, { OCCAM_WEBGPU_SOFTWARE: "1" });
        expect(ended, ended.stderr).toMatchObject({ status, signal: null });
      }
    },
    120_000,
  );

  test("ends when its device is lost, which the agent answers with a new one", () => {
    const lose = "tf.backend().device.destroy(); setInterval(() => undefined, 1000);";
    const ended = run(`${compute}\n${lose}`, { OCCAM_WEBGPU_SOFTWARE: "1" });
    expect(ended, ended.stderr).toMatchObject({ status: 1, signal: null });
    expect(ended.stderr).toContain("backend webgpu: the device was lost (destroyed)");
  });

  const report =
    "console.log(JSON.stringify({ code: refused?.code, text: refused?.toUserText(), name: loaded?.name }));";

  test("is refused where there is no driver, with what to install", () => {
    const { stdout } = run(report, { OCCAM_WEBGPU_SOFTWARE: "1", VK_DRIVER_FILES: "/none", VK_ICD_FILENAMES: "/none" });
    const { code, text } = JSON.parse(stdout) as Record<string, string>;
    expect(code).toBe("unsupported");
    expect(text).toContain("backend webgpu: no adapter");
    expect(text).toContain("install the GPU's Vulkan driver");
  });

  test("gets a GPU, or is refused a software device that it did not ask for", () => {
    const { stdout } = run(report, { OCCAM_WEBGPU_SOFTWARE: "" });
    const { code, text, name } = JSON.parse(stdout) as Record<string, string>;
    if (name !== "webgpu") {
      expect(code).toBe("unsupported");
      expect(text).toMatch(
        /backend webgpu: (only a software adapter \(.+\), which wasm outruns|this machine has no GPU)/,
      );
    }
  });
});
