/**
 * What we use of Dawn's binding for Node (package `webgpu`), and the opening of a device. The names are WebGPU's own; only
 * what is used is declared, because the package is optional and so are its types.
 *
 * https://www.w3.org/TR/webgpu/
 */
import { createRequire } from "node:module";
import { OccamError } from "../../../src/core/errors.ts";

export interface GpuBuffer {
  readonly size: number;
  readonly usage: number;
  readonly mapState: "unmapped" | "pending" | "mapped";
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

export interface GpuErrorEvent {
  readonly error: { readonly message: string; readonly constructor: { readonly name: string } };
  preventDefault(): void;
}

export interface GpuDevice {
  readonly limits: Readonly<Record<string, number>>;
  /** Resolves, never rejects, when the device is gone. */
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  createBuffer(descriptor: { readonly size: number; readonly usage: number; readonly mappedAtCreation?: boolean }): GpuBuffer; // prettier-ignore
  addEventListener(type: "uncapturederror", listener: (event: GpuErrorEvent) => void): void;
  destroy(): void;
}

export interface GpuAdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isFallbackAdapter?: boolean;
}

interface GpuAdapter {
  readonly info: GpuAdapterInfo;
  readonly limits: Readonly<Record<string, number>>;
  requestDevice(descriptor: { readonly requiredLimits: Readonly<Record<string, number>> }): Promise<GpuDevice>;
}

interface Gpu {
  requestAdapter(options: { readonly powerPreference: "high-performance" }): Promise<GpuAdapter | null>;
}

interface DawnModule {
  create(options: readonly string[]): Gpu;
  readonly globals: Readonly<Record<string, unknown>>;
}

export interface OpenDevice {
  readonly device: GpuDevice;
  readonly info: GpuAdapterInfo;
  readonly isSoftware: boolean;
  /** Version of the package. */
  readonly version: string;
}

/** https://www.w3.org/TR/webgpu/#buffer-usage */
export const BUFFER_USAGE = {
  mapRead: 0x1,
  copySource: 0x4,
  copyDestination: 0x8,
  uniform: 0x40,
  storage: 0x80,
} as const;
/** https://www.w3.org/TR/webgpu/#map-mode */
export const MAP_MODE_READ = 0x1;

/** Architectures of devices that compute on the processor: Mesa's llvmpipe and Google's SwiftShader. */
const SOFTWARE_ARCHITECTURES: readonly string[] = ["software", "swiftshader"];

/** Limits that are asked for at the adapter's own value; a device has the specification's low defaults otherwise. */
const RAISED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupsPerDimension",
] as const;

const INSTALL_DRIVER =
  "install the GPU's Vulkan driver and the loader (Debian: libvulkan1), or use another --backend; " +
  "OCCAM_WEBGPU_SOFTWARE=1 allows a software device such as Mesa's llvmpipe (24 or later), for tests";

const require = createRequire(import.meta.url);

/** Kept until the process ends: a device does not keep its instance alive, and the binding crashes when it is collected first. */
const instances: Gpu[] = [];

/** The most powerful device of this machine; one that computes on the processor only when `allowSoftware`. */
export async function openDevice(allowSoftware: boolean): Promise<OpenDevice> {
  const dawn = require("webgpu") as DawnModule;
  const { version } = require("webgpu/package.json") as { readonly version: string };
  defineGlobals(dawn.globals);
  const gpu = dawn.create([]);
  instances.push(gpu);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) {
    throw new OccamError("unsupported", "backend webgpu: no adapter: no GPU with a usable driver was found", {
      hint: INSTALL_DRIVER,
    });
  }
  const isSoftware = computesOnProcessor(adapter.info);
  if (isSoftware && !allowSoftware) {
    const name = describe(adapter.info);
    throw new OccamError("unsupported", `backend webgpu: only a software adapter (${name}), which wasm outruns`, {
      hint: INSTALL_DRIVER,
    });
  }
  const requiredLimits = Object.fromEntries(RAISED_LIMITS.map((name) => [name, adapter.limits[name]!]));
  const device = await adapter.requestDevice({ requiredLimits });
  return { device, info: adapter.info, isSoftware, version };
}

/** An adapter's name for people. */
export function describe({ description, vendor, architecture, device }: GpuAdapterInfo): string {
  if (description !== "") return description;
  return [vendor, architecture, device].filter((part) => part !== "").join(" ") || "an unnamed GPU";
}

function computesOnProcessor({ architecture, isFallbackAdapter }: GpuAdapterInfo): boolean {
  return isFallbackAdapter === true || SOFTWARE_ARCHITECTURES.includes(architecture);
}

/** The classes and constants that TensorFlow.js expects to be global; what the runtime has of its own stays. */
function defineGlobals(globals: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) {
      Object.defineProperty(globalThis, name, { value, configurable: true, enumerable: false, writable: true });
    }
  }
}
