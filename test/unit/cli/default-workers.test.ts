import { describe, expect, it } from "vitest";
import { defaultWorkers, gpuEnv, visibleGpus } from "../../../src/cli/run/default-workers.ts";

describe("the number of workers on one machine", () => {
  it("is one for each core where a worker computes on one thread, and one where it takes the whole machine", () => {
    expect(defaultWorkers("wasm", [], 12)).toBe(12);
    expect(defaultWorkers("tensorflow", [], 12)).toBe(1);
    expect(defaultWorkers("webgpu", ["0", "1"], 12)).toBe(1);
  });

  it("is one for each NVIDIA GPU, and one where they cannot be counted", () => {
    expect(defaultWorkers("tensorflow-gpu", ["0", "1", "2"], 12)).toBe(3);
    expect(defaultWorkers("tensorflow-gpu", [], 12)).toBe(1);
  });
});

describe("the GPUs of a process", () => {
  const fails = (): string => {
    throw new Error("nvidia-smi: not found");
  };

  it("are those that CUDA_VISIBLE_DEVICES leaves, else those that nvidia-smi lists, else unknown", () => {
    expect(visibleGpus({ CUDA_VISIBLE_DEVICES: "3, 5" }, fails)).toEqual(["3", "5"]);
    expect(visibleGpus({ CUDA_VISIBLE_DEVICES: "" }, () => "0\n1\n")).toEqual([]);
    expect(visibleGpus({}, () => "0\n1\n")).toEqual(["0", "1"]);
    expect(visibleGpus({}, fails)).toEqual([]);
  });

  it("are dealt out to the workers in turn, on the backend that takes NVIDIA GPUs alone", () => {
    const gpus = ["3", "5"];
    const dealt = [1, 2, 3].map((number) => gpuEnv("tensorflow-gpu", number, gpus)["CUDA_VISIBLE_DEVICES"]);
    expect(dealt).toEqual(["3", "5", "3"]);
    expect(gpuEnv("wasm", 1, gpus)).toEqual({});
    expect(gpuEnv("tensorflow-gpu", 1, [])).toEqual({});
  });
});
