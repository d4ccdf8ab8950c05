/** The revision of the repository that a folder lies in. */
import { execFile } from "node:child_process";

/** "9f3c...", with "+changes" when files differ from it; null outside a repository or without git. */
export async function gitRevision(folder: string): Promise<string | null> {
  const revision = await git(folder, ["rev-parse", "HEAD"]);
  if (revision === null) return null;
  const changes = await git(folder, ["status", "--porcelain", "--untracked-files=no"]);
  return changes === null || changes === "" ? revision : `${revision}+changes`;
}

/** Git on a slow disk must not hold a report back. */
const TIMEOUT_MS = 5_000;

function git(folder: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile("git", ["-C", folder, ...args], { timeout: TIMEOUT_MS }, (error, stdout) =>
      resolve(error === null ? stdout.trim() : null),
    );
  });
}
