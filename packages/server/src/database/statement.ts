import { sql, type Compilable, type RawBuilder } from 'kysely';

declare const row: unique symbol;

/** A compiled statement with its values, ready to run. */
export type Bound<Row> = {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly [row]?: Row;
};

/** A statement of a unit that must change exactly so many rows, or the unit is undone. */
export type Expected = { readonly bound: Bound<unknown>; readonly rows: number };

/** A write: statements that are all done or none is. A bare statement may change any number of rows. */
export type Unit = readonly (Bound<unknown> | Expected)[];

/** `refusedAt` is the index, in the unit, of the statement whose row count was not the expected one. */
export type Outcome = { committed: true } | { committed: false; refusedAt: number };

/** A unit whose loss the caller did not plan for was refused. */
export class UnitRefused extends Error {
  override readonly name = 'UnitRefused';
  readonly refusedAt: number;

  constructor(refusedAt: number, text: string) {
    super(`statement ${refusedAt} of a unit changed an unexpected number of rows: ${text}`);
    this.refusedAt = refusedAt;
  }
}

/** The statement must change exactly this many rows; otherwise nothing of its unit happens. */
export function exactly(rows: number, bound: Bound<unknown>): Expected {
  return { bound, rows };
}

class Placeholder {
  readonly name: PropertyKey;
  constructor(name: PropertyKey) {
    this.name = name;
  }
}

type Build<Values, Row> = (
  value: <Name extends keyof Values>(name: Name) => RawBuilder<Values[Name]>,
) => Compilable<Row>;

/**
 * Compiles a statement once, so that a call only fills in its values: building a query anew costs several times
 * what SQLite needs to answer it.
 */
export function createStatement<Values>() {
  return <Row>(build: Build<Values, Row>): ((values: Values) => Bound<Row>) => {
    // At its first use: at start, all of them together would cost a quarter of a second.
    let compiled: { text: string; fill: (values: Values) => unknown[] } | undefined;
    return (values) => {
      compiled ??= compile(build);
      return { text: compiled.text, values: compiled.fill(values) };
    };
  };
}

function compile<Values, Row>(build: Build<Values, Row>) {
  const { sql: text, parameters } = build((name) => sql`${new Placeholder(name)}`).compile();
  const parts = parameters.map((parameter) =>
    parameter instanceof Placeholder
      ? { name: parameter.name as keyof Values, constant: undefined }
      : { name: undefined, constant: parameter },
  );
  const fill = (values: Values): unknown[] =>
    parts.map((part) => (part.name === undefined ? part.constant : values[part.name]));
  return { text, fill };
}

export function isExpected(part: Bound<unknown> | Expected): part is Expected {
  return 'bound' in part;
}

/** The SQL of one statement of a unit, for an error that names it. Values are left out: they may be secret. */
export function textAt(unit: Unit, index: number): string {
  const part = unit[index];
  if (part === undefined) return '';
  return isExpected(part) ? part.bound.text : part.text;
}
