#!/usr/bin/env node
/** The `occam` command. Everything heavy is loaded by the command that needs it. */
import { runCli } from "./cli.ts";
import { processIo } from "./io.ts";

const io = processIo();
const code = await runCli(process.argv.slice(2), io);
// Handles that a library keeps open must not hold the command back once its output is out.
io.out.end(() => process.exit(code));
