/**
 * The TensorFlow.js backends that a worker can compute on, in the order in which `auto` tries them. Nothing but their folders
 * loads TensorFlow.js; all of it is CommonJS, for the bundles for Node have no usable ESM form.
 */
import { OccamError, messageOf } from "../../src/core/errors.ts";
import type { BackendName, LoadedBackend } from "./loaded-backend.ts";
import { loadTensorflow } from "./tensorflow/load.ts";
import { NATIVE_INSTALL } from "./tensorflow/package-folder.ts";
import { loadWasm } from "./wasm/load.ts";
import { loadWebgpu } from "./webgpu/load.ts";

interface Backend {
  readonly packageName: string;
  /** How its package is installed, and what that brings. */
  readonly install: string;
  load(): Promise<LoadedBackend>;
}

const BACKENDS: Readonly<Record<BackendName, Backend>> = {
  "tensorflow-gpu": {
    packageName: "@tensorflow/tfjs-node-gpu",
    install: NATIVE_INSTALL,
    load: () => loadTensorflow("tensorflow-gpu"),
  },
  tensorflow: {
    packageName: "@tensorflow/tfjs-node",
    install: NATIVE_INSTALL,
    load: () => loadTensorflow("tensorflow"),
  },
  webgpu: {
    packageName: "webgpu",
    install: "npm install webgpu @tensorflow/tfjs-backend-webgpu@4.22.0",
    load: loadWebgpu,
  },
  wasm: { packageName: "@tensorflow/tfjs-backend-wasm", install: "npm ci", load: loadWasm },
};

/** Loads one backend; an OccamError "unsupported" says exactly why it cannot be used and what would mend it. */
export async function loadBackend(name: BackendName): Promise<LoadedBackend> {
  try {
    return await BACKENDS[name].load();
  } catch (error) {
    if (error instanceof OccamError) throw error;
    throw unusable(name, error);
  }
}

function unusable(name: BackendName, error: unknown): OccamError {
  const { packageName, install } = BACKENDS[name];
  const code = (error as { code?: string }).code;
  const missing = (code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND") && messageOf(error).includes(packageName); // prettier-ignore
  if (missing) {
    return new OccamError("unsupported", `backend ${name}: package ${packageName} is not installed`, {
      hint: install,
      cause: error,
    });
  }
  return new OccamError("unsupported", `backend ${name}: ${firstLine(messageOf(error))}`, {
    hint: name === "wasm" ? install : `${install}; or use --backend wasm`,
    cause: error,
  });
}

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? text;
