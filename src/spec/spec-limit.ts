/** A file larger than this is no sweep: specs are written by people. The YAML parser is not linear in hostile files. */
export const SPEC_LIMIT_BYTES = 64 * 1024;
