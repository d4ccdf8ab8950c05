// Makes `npx occam` find this checkout's own command: npm does not link a package's bin into its own node_modules.
import { chmodSync, mkdirSync, rmSync, symlinkSync } from "node:fs";

const bin = new URL("../node_modules/.bin/", import.meta.url);
mkdirSync(bin, { recursive: true });
chmodSync(new URL("../dist/src/cli/main.js", import.meta.url), 0o755);
rmSync(new URL("occam", bin), { force: true });
symlinkSync("../../dist/src/cli/main.js", new URL("occam", bin));
