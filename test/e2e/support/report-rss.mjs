// Loaded into an `occam` by NODE_OPTIONS=--import: writes its peak memory, in KiB, to OCCAM_TEST_RSS_FILE when it exits.
import { writeFileSync } from "node:fs";

process.on("exit", () => writeFileSync(process.env.OCCAM_TEST_RSS_FILE, String(process.resourceUsage().maxRSS)));
