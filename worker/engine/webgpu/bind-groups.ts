/**
 * Bind groups by what they bind. Making one is a good part of a dispatch's fixed cost, and a step's programs get the buffers of
 * an earlier step again: the pool gives buffers out by a rule, and uniforms are kept (`constant-buffers.ts`).
 *
 * At most MOST are kept, those that were asked for last. A kept one holds no memory on the device but its own: buffers are
 * destroyed by the pool, whoever refers to them, and one that was destroyed is never asked for again.
 */
import type { ProgramDevice } from "./tfjs-backend.ts";

const MOST = 8192;

/** Makes the device keep the layouts of its pipelines, which it makes anew whenever it is asked, and its bind groups. */
export function keepBindGroups(device: ProgramDevice): void {
  const ids = new WeakMap<object, number>();
  let lastId = 0;
  const idOf = (object: object): number => {
    const known = ids.get(object);
    if (known !== undefined) return known;
    lastId += 1;
    ids.set(object, lastId);
    return lastId;
  };
  const createPipeline = device.createComputePipeline.bind(device);
  device.createComputePipeline = (descriptor) => {
    const pipeline = createPipeline(descriptor);
    const layout = pipeline.getBindGroupLayout(0);
    // Programs of TensorFlow.js and of ours have the group 0 alone.
    pipeline.getBindGroupLayout = () => layout;
    return pipeline;
  };
  const kept = new Map<string, object>();
  const create = device.createBindGroup.bind(device);
  device.createBindGroup = (descriptor) => {
    const { layout, entries } = descriptor;
    // Whole buffers alone are bound on this backend.
    const key = [layout, ...entries.map(({ resource }) => resource.buffer)].map(idOf).join();
    const group = kept.get(key) ?? create(descriptor);
    kept.delete(key);
    kept.set(key, group);
    if (kept.size > MOST) kept.delete(kept.keys().next().value!);
    return group;
  };
}
