/** Every architecture of the registry, in its variants, on every small task that it supports. */
import type { Architecture, Config, Task, Tf } from "../../src/catalogue/entry.ts";
import { ARCHITECTURES } from "../../src/catalogue/registry.ts";
import { ModelUnderTest } from "./model-under-test.ts";
import { smallConfigs } from "./schema-variants.ts";
import { SMALL_TASKS } from "./small-tasks.ts";

export interface ArchitectureCase {
  readonly name: string;
  readonly architecture: Architecture;
  readonly config: Config;
  readonly task: Task;
}

export function architectureCases(): readonly ArchitectureCase[] {
  return ARCHITECTURES.flatMap((architecture) =>
    smallConfigs(architecture).flatMap(([variant, config]) =>
      Object.entries(SMALL_TASKS)
        .filter(([, task]) => architecture.unsupported(config, task) === undefined)
        .map(([taskName, task]) => ({ name: `${variant}, ${taskName}`, architecture, config, task })),
    ),
  );
}

export function modelOf(tf: Tf, { architecture, config, task }: ArchitectureCase): ModelUnderTest {
  return new ModelUnderTest(tf, architecture, config, task);
}
