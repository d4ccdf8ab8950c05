/** Where the tfjs-node package of a native backend lies, and whether it has its addon. */
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { OccamError } from "../../../src/core/errors.ts";

export type NativeName = "tensorflow" | "tensorflow-gpu";

const require = createRequire(import.meta.url);
const ADDON = "tfjs_binding.node";

const PACKAGE_OF = { tensorflow: "@tensorflow/tfjs-node", "tensorflow-gpu": "@tensorflow/tfjs-node-gpu" } as const;
/** How either package comes by its addon. */
export const NATIVE_INSTALL =
  "build it with deploy/tensorflow/build-addon.sh and set OCCAM_TFJS_NODE, or npm ci where its download can be reached";

/** The package's folder, with a compiled addon in it: loading TensorFlow.js only to find none takes half a second. */
export function packageFolder(name: NativeName): string {
  const folder = givenFolder(name) ?? dirname(require.resolve(`${PACKAGE_OF[name]}/package.json`));
  const library = join(folder, "lib");
  const built = existsSync(library) && readdirSync(library).some((napi) => existsSync(join(library, napi, ADDON)));
  if (built) return folder;
  throw new OccamError("unsupported", `backend ${name}: the native addon of ${folder} is missing (${ADDON})`, {
    hint: NATIVE_INSTALL,
  });
}

function givenFolder(name: string): string | undefined {
  const given = process.env["OCCAM_TFJS_NODE"];
  if (given === undefined || given === "") return undefined;
  const folder = resolve(given);
  if (existsSync(join(folder, "package.json"))) return folder;
  throw new OccamError("unsupported", `backend ${name}: OCCAM_TFJS_NODE names no package: ${folder}`, {
    hint: "deploy/tensorflow/build-addon.sh makes one, and says its folder; or unset the variable",
  });
}

/** Could it be loaded, as far as files tell? */
export function hasAddon(name: NativeName): boolean {
  try {
    return packageFolder(name) !== "";
  } catch {
    return false;
  }
}
