import { CoordinatorProcess } from "./coordinator-process.ts";
const c = await CoordinatorProcess.start(process.argv[2]!);
console.log("start ms", c.startMs.toFixed(0), "cpu", c.cpuMs(), "rss", c.memoryMb("now").toFixed(0), "peak", c.memoryMb("peak").toFixed(0));
await c.stop(); process.exit(0);
