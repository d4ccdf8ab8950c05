#!/usr/bin/env node
/** The `occam` command. Everything heavy is loaded by the command that needs it, and none of it before the first lines here. */
import module from "node:module";
import { processIo } from "./io.ts";
import { listenForInterrupts } from "./run/interrupts.ts";

if (["run", "calibrate", "logs"].includes(process.argv[2] ?? "")) listenForInterrupts();
// Node.js 22 keeps compiled code between processes; 20 cannot.
(module as { readonly enableCompileCache?: () => void }).enableCompileCache?.();
const { runCli } = await import("./cli.ts");
const io = processIo();
const code = await runCli(process.argv.slice(2), io);
// Handles that a library keeps open must not hold the command back once its output is out.
io.out.end(() => process.exit(code));
