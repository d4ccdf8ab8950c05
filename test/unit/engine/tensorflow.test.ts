/** The TensorFlow backend: what it claims, what it may take, and that it leaves nothing behind. Skipped where it is not installed. */
import { afterEach, describe, expect, test } from "vitest";
import { OccamError } from "../../../src/core/errors.ts";
import { loadBackend } from "../../../worker/engine/backends.ts";
import { openEngine } from "../../../worker/engine/engine.ts";
import { openProgram } from "../../../worker/engine/program.ts";
import { deviceBudgetBytes, hostBudgetBytes } from "../../../worker/engine/memory-budget.ts";
import { nativeBackend } from "../../../worker/engine/tensorflow/native-backend.ts";
import { FusedData } from "../../../worker/train/fused-data.ts";
import { FusedUpdate } from "../../../worker/train/fused-update.ts";
import { byOptimizer, memberOf } from "../../../worker/train/members.ts";
import { tinyCell } from "../../support/tiny-cells.ts";

const GIB = 2 ** 30;
const loaded = await loadBackend("tensorflow").catch(() => undefined);
const onGpu = loaded !== undefined && nativeBackend(loaded.tf).isUsingGpuDevice;

describe("the memory budget", () => {
  test("of a processor is half of what the machine or its control group has, and 8 GiB at the most", () => {
    expect(hostBudgetBytes(6 * GIB, 0)).toBe(3 * GIB);
    expect(hostBudgetBytes(64 * GIB, 4 * GIB)).toBe(2 * GIB);
    // Without a limit, a control group says a number beyond all memory.
    expect(hostBudgetBytes(10 * GIB, 2 ** 63)).toBe(5 * GIB);
    expect(hostBudgetBytes(64 * GIB, 0)).toBe(8 * GIB);
    expect(hostBudgetBytes()).toBeGreaterThan(0);
  });

  test("of a GPU is three quarters of the smallest that nvidia-smi lists", () => {
    expect(deviceBudgetBytes(() => "143771, Disabled\n")).toBe(0.75 * 143771 * 2 ** 20);
    expect(deviceBudgetBytes(() => "81559, [N/A]\n24576, [N/A]\n")).toBe(0.75 * 24576 * 2 ** 20);
  });

  test("of a GPU that is cut up, or of which nobody can tell, is below the smallest slice", () => {
    const smallest = 5 * GIB;
    const broken = (): string => {
      throw new Error("spawnSync nvidia-smi ENOENT");
    };
    for (const ask of [() => "143771, Enabled\n", () => "[N/A], [N/A]\n", () => "No devices were found\n", broken]) {
      expect(deviceBudgetBytes(ask)).toBeGreaterThan(GIB);
      expect(deviceBudgetBytes(ask)).toBeLessThan(smallest);
    }
  });
});

describe("OCCAM_TFJS_NODE", () => {
  const given = process.env["OCCAM_TFJS_NODE"];
  afterEach(() => {
    if (given === undefined) delete process.env["OCCAM_TFJS_NODE"];
    else process.env["OCCAM_TFJS_NODE"] = given;
  });

  test("that names no package is refused, with the folder and what makes one", async () => {
    process.env["OCCAM_TFJS_NODE"] = "/no/such/folder";
    for (const name of ["tensorflow", "tensorflow-gpu"] as const) {
      const refusal = await loadBackend(name).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(OccamError);
      expect(refusal).toMatchObject({ code: "unsupported", hint: expect.stringContaining("build-addon.sh") });
      expect((refusal as OccamError).message).toContain("/no/such/folder");
    }
  });
});

describe.skipIf(loaded === undefined)("a loaded TensorFlow", () => {
  test("says which library computes on what", () => {
    expect(loaded!.device).toMatch(/^TensorFlow \d+\.\d+\.\d+ on (an NVIDIA GPU|.+ \(\d+ cores\))$/);
    expect(loaded!.memoryBudgetBytes).toBeGreaterThan(0);
  });

  test.skipIf(onGpu)("that sees no GPU is refused as a GPU, with the reason and a remedy", async () => {
    const refusal = await openEngine("tensorflow-gpu").catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "unsupported", hint: expect.stringContaining("nvidia-smi") });
    // Where the GPU package is not even installed, that is the reason.
    expect((refusal as OccamError).message).toMatch(/sees no usable GPU|is not installed|tfjs_binding\.node/);
    if (process.env["OCCAM_TFJS_NODE"] !== undefined) {
      expect((refusal as OccamError).message).toMatch(/TensorFlow \d+\.\d+\.\d+ loaded, but it sees no usable GPU/);
    }
  });

  test("keeps the number of tensors, and of its own handles, over 1,000 training steps", async () => {
    const engine = await openEngine("tensorflow");
    const { binding } = nativeBackend(engine.tf);
    const members = byOptimizer(
      ["sgd", "adam", "sgd", "lion"].map((kind, seed) =>
        memberOf(
          tinyCell({
            // 72 x 72 weights: their noise is drawn by TensorFlow's own kernel.
            architecture: { kind: "mlp", activation: "gelu", depth: 2, width: 72 },
            optimizer: { kind, learningRate: 0.001 },
            regulariser: { kind: "weight-noise", strength: 0.01 },
            seed,
          }),
          0,
        ),
      ),
    );
    const { config } = members[0]!.cell;
    const program = openProgram(engine, config);
    const data = new FusedData(program, [await engine.datasets.load(config.data)]);
    const update = FusedUpdate.start(program, members);
    const batch = data.gather("train", [0, 0, 0, 0], new Int32Array(4 * 8));
    const counts = new Set<string>();
    for (let step = 1; step <= 1000; step += 1) {
      update.apply(batch, step, 1).dispose();
      // Vectors of hyperparameters are made at the first step.
      if (step > 1) counts.add(`${engine.memory().tensors} tensors, ${binding.getNumOfTensors()} handles`);
    }
    expect([...counts]).toHaveLength(1);
    update.dispose();
    data.dispose();
    engine.tf.dispose([batch.input, batch.targets]);
  });
});
