// npm's `prepare`: builds what was checked out. When another project links or packs this folder, a build that is already here is
// taken as it is: that project has no use for ours, and this folder may lack what it takes to make one.
import { spawnSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = realpathSync(fileURLToPath(new URL("..", import.meta.url)));
const startedIn = realpathSync(process.env.INIT_CWD ?? root);
const isOurs = startedIn === root || startedIn.startsWith(`${root}/`);
const isBuilt = existsSync(new URL("../dist/worker/library.js", import.meta.url));

if (isOurs || !isBuilt) {
  const { status } = spawnSync("npm", ["run", "build"], { stdio: "inherit", shell: process.platform === "win32" });
  process.exitCode = status ?? 1;
}
