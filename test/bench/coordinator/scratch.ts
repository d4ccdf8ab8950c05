import { scaleRows } from "./scale-bench.ts";
import { mkdtempSync } from "node:fs";
import { verdictOf } from "../measurement.ts";
const rows = await scaleRows(mkdtempSync("/tmp/h-scale-store-"), Number(process.argv[2]));
for (const r of rows) console.log(r.name, r.value.toPrecision(4), r.unit, r.bar?.floor ?? "", verdictOf(r));
process.exit(0);
