/** A number in a list of columns: PostgreSQL takes a bare parameter there for a text. */
import { sql } from "kysely";

export const int8 = (value: number) => sql`cast(${value} as bigint)`;
