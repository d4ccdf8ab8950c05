/**
 * Is there a device for the tests of the webgpu backend? A software one will do (README: mesa-vulkan-drivers 24 or later).
 * Without any they are skipped, visibly.
 */
import { OccamError } from "../../../src/core/errors.ts";
import { loadWebgpu } from "../../../worker/engine/webgpu/load.ts";

process.env["OCCAM_WEBGPU_SOFTWARE"] = "1";

/** Why these tests are skipped; undefined where they run. */
export const WEBGPU_MISSING = await loadWebgpu().then(
  () => undefined,
  (error: unknown) => {
    if (error instanceof OccamError && error.code === "unsupported") return `skipped: ${error.message}`;
    throw error;
  },
);
