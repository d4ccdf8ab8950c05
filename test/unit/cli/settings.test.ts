import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { OccamError } from "../../../src/core/errors.ts";
import { settingsOf } from "../../../src/cli/settings.ts";

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "occam-settings-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

describe("settings", () => {
  it("take the environment before the config file", () => {
    const cwd = folderWith({ "occam.config.yaml": "backend: wasm\nfuseWidth: 8\n" });
    const settings = settingsOf([], { OCCAM_BACKEND: "tensorflow" }, cwd);
    expect(settings.valuesOf(["backend", "fuse-width", "out"])).toEqual({ backend: "tensorflow", "fuse-width": 8 });
    expect(settings.sourceOf("backend")).toBe("OCCAM_BACKEND");
    expect(settings.sourceOf("fuse-width")).toBe("occam.config.yaml");
  });

  it("read the file of --config, in either spelling, and of OCCAM_CONFIG, and not the default file then", () => {
    const cwd = folderWith({ "occam.config.yaml": "port: 1", "other.json": '{"port": 2}' });
    expect(settingsOf(["run", "--config", "other.json"], {}, cwd).valuesOf(["port"])).toEqual({ port: 2 });
    expect(settingsOf(["run", "--config=other.json"], {}, cwd).valuesOf(["port"])).toEqual({ port: 2 });
    expect(settingsOf([], { OCCAM_CONFIG: "other.json" }, cwd).valuesOf(["port"])).toEqual({ port: 2 });
    expect(settingsOf([], {}, cwd).valuesOf(["port"])).toEqual({ port: 1 });
  });

  it("refuse an unknown key with the nearest spelling", () => {
    const cwd = folderWith({ "occam.config.json": '{"workrs": 2}' });
    expect(() => settingsOf([], {}, cwd).valuesOf(["workers"])).toThrow(OccamError);
    try {
      settingsOf([], {}, cwd).valuesOf(["workers"]);
    } catch (error) {
      expect((error as OccamError).code).toBe("bad-config");
      expect((error as OccamError).toUserText()).toBe(
        'occam.config.json: unknown setting "workrs"\n  Did you mean "workers"?',
      );
    }
  });

  it("refuse a file that is missing, that is no mapping, or whose values are not single", () => {
    const cwd = folderWith({ "list.yaml": "- 1\n", "deep.yaml": "out: {a: 1}\n", "broken.yaml": "{" });
    for (const name of ["absent.yaml", "list.yaml", "deep.yaml", "broken.yaml"]) {
      expect(() => settingsOf(["--config", name], {}, cwd).valuesOf(["out"]), name).toThrow(OccamError);
    }
  });

  it("read no file before a command asks for a setting", () => {
    const cwd = folderWith({ "occam.config.yaml": "nonsense: 1\n" });
    expect(settingsOf([], {}, cwd).valuesOf([])).toEqual({});
  });

  it("let OCCAM_TOKEN lie above a token file of the config file", () => {
    const cwd = folderWith({ "occam.config.yaml": "token-file: t\n" });
    expect(settingsOf([], {}, cwd).valuesOf(["token-file"])).toEqual({ "token-file": "t" });
    expect(settingsOf([], { OCCAM_TOKEN: "x" }, cwd).valuesOf(["token-file"])).toEqual({});
  });
});
