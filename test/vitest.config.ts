import { defineConfig } from "vitest/config";

/** One project a suite, in the order in which a newcomer would want to see them fail. */
const project = (name: string, timeoutMs: number) => ({
  test: {
    name,
    root: new URL("..", import.meta.url).pathname,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    pool: "forks" as const,
  },
});

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      project("unit", 20_000),
      project("conformance", 120_000),
      project("simulation", 120_000),
      project("e2e", 300_000),
    ],
  },
});
