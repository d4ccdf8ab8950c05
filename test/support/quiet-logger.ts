/** A logger whose lines go nowhere. */
import { Writable } from "node:stream";
import { createLogger } from "../../src/core/log.ts";

export const quietLogger = createLogger({
  component: "test",
  level: "error",
  destination: new Writable({ write: (_chunk, _encoding, done) => done() }),
});
