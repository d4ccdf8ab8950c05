import { mkdtempSync } from "node:fs";
import { verdictOf } from "../measurement.ts";
import { cellsRows } from "./cells-bench.ts";
const rows = await cellsRows(mkdtempSync("/tmp/h-scale-store-"), Number(process.argv[2]), 100, "sqlite");
for (const r of rows) console.log(r.name, r.value.toPrecision(4), r.unit, r.bar?.floor ?? "", verdictOf(r));
process.exit(0);
