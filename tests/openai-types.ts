import { join } from "node:path";
import ts from "typescript";

/** How a value differs from a type. */
export interface Differences {
  /** Violations of the type, each with its path. */
  readonly wrong: readonly string[];
  /** Paths of keys that the type does not have, such as `choices[].matched_stop`. */
  readonly extra: readonly string[];
}

const CLIENT = join(import.meta.dirname, "../node_modules/openai/client.d.ts");

const options: ts.CompilerOptions = {
  strict: true,
  skipLibCheck: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
};

let compiled: { checker: ts.TypeChecker; namespace: ts.Symbol } | undefined;

/** The `openai` package's declarations, compiled once. */
function published(): { checker: ts.TypeChecker; namespace: ts.Symbol } {
  if (compiled) return compiled;
  const program = ts.createProgram([CLIENT], options);
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(CLIENT) as ts.SourceFile);
  return (compiled = { checker, namespace: member(checker, module, "OpenAI") });
}

function member(checker: ts.TypeChecker, of: ts.Symbol | undefined, name: string): ts.Symbol {
  const found = of && checker.getExportsOfModule(of).find((symbol) => symbol.name === name);
  if (!found) throw new Error(`differences: the openai package exports no type ${name}`);
  return found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
}

/**
 * Checks a JSON value against a type that the `openai` package publishes. Every required key must be
 * present, and every present key must have its type.
 *
 * @param name the type's name in the namespace `OpenAI`, such as `Responses.Response`
 * @throws Error when there is no such type
 */
export function differences(value: unknown, name: string): Differences {
  const { checker, namespace } = published();
  const symbol = name.split(".").reduce((of, part) => member(checker, of, part), namespace);
  const found = compare(checker, value, checker.getDeclaredTypeOfSymbol(symbol), "");
  return { wrong: found.wrong, extra: [...new Set(found.extra)] };
}

function compare(
  checker: ts.TypeChecker,
  value: unknown,
  type: ts.Type,
  path: string,
): Differences {
  if (type.isUnion()) {
    const meant = type.types.filter((one) => isMeant(checker, value, one));
    const [first, ...others] = meant.map((one) => compare(checker, value, one, path));
    if (!first) return wrong(path, expectedOf(checker, value, type));
    return others.reduce((best, other) => (isCloser(other, best) ? other : best), first);
  }
  const primitive = primitiveOf(type);
  if (primitive) return compare(checker, value, primitive, path);
  if (type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return SAME;
  if (type.flags & ts.TypeFlags.Object || type.isIntersection()) {
    return compareObject(checker, value, type, path);
  }
  return isMeant(checker, value, type) ? SAME : wrong(path, expectedOf(checker, value, type));
}

/** @returns whether a value can be this member of a union, by its literal keys */
function isMeant(checker: ts.TypeChecker, value: unknown, type: ts.Type): boolean {
  const primitive = primitiveOf(type);
  if (primitive) return isMeant(checker, value, primitive);
  if (checker.isArrayType(type)) return Array.isArray(value);
  if (type.flags & ts.TypeFlags.Object || type.isIntersection()) {
    if (typeName(value) !== "object" || Array.isArray(value)) return false;
    return checker.getPropertiesOfType(type).every((property) => {
      const expected = checker.getTypeOfSymbol(property);
      const held = (value as Readonly<Record<string, unknown>>)[property.name];
      return !isLiteral(expected) || held === undefined || isMeant(checker, held, expected);
    });
  }
  if (type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return true;
  const expected = checker.typeToString(type);
  return isLiteral(type) ? JSON.stringify(value) === expected : typeName(value) === expected;
}

/** @returns the primitive of `string & {}`, which OpenAI's types use for any string in a union of literals */
function primitiveOf(type: ts.Type): ts.Type | undefined {
  if (!type.isIntersection()) return undefined;
  return type.types.find(({ flags }) => !(flags & ts.TypeFlags.Object));
}

function expectedOf(checker: ts.TypeChecker, value: unknown, type: ts.Type): string {
  return `is ${JSON.stringify(value)}, expected ${checker.typeToString(type)}`;
}

const SAME: Differences = { wrong: [], extra: [] };

function wrong(path: string, what: string): Differences {
  return { wrong: [`${path || "the whole"} ${what}`], extra: [] };
}

function isCloser(a: Differences, b: Differences): boolean {
  if (a.wrong.length !== b.wrong.length) return a.wrong.length < b.wrong.length;
  return a.extra.length < b.extra.length;
}

function isLiteral(type: ts.Type): boolean {
  return type.isLiteral() || (type.flags & ts.TypeFlags.BooleanLiteral) !== 0;
}

function typeName(value: unknown): string {
  return value === null ? "null" : typeof value;
}

function compareObject(
  checker: ts.TypeChecker,
  value: unknown,
  type: ts.Type,
  path: string,
): Differences {
  if (checker.isTupleType(type)) throw new Error(`differences: ${path} is a tuple`);
  if (checker.isArrayType(type)) {
    if (!Array.isArray(value)) return wrong(path, expectedOf(checker, value, type));
    const [item] = checker.getTypeArguments(type as ts.TypeReference) as [ts.Type];
    return joined(value.map((one) => compare(checker, one, item, `${path}[]`)));
  }
  if (typeName(value) !== "object" || Array.isArray(value)) {
    return wrong(path, expectedOf(checker, value, type));
  }
  const at = (key: string) => (path === "" ? key : `${path}.${key}`);
  const object = value as Readonly<Record<string, unknown>>;
  const properties = checker.getPropertiesOfType(type);
  const index = checker.getIndexTypeOfType(type, ts.IndexKind.String);
  const known = properties.map((property) => {
    const { name, flags } = property;
    if (name in object) {
      return compare(checker, object[name], checker.getTypeOfSymbol(property), at(name));
    }
    return flags & ts.SymbolFlags.Optional ? SAME : wrong(at(name), "is missing");
  });
  const names = new Set(properties.map(({ name }) => name));
  const others = Object.keys(object).filter((key) => !names.has(key));
  const rest = others.map((key) =>
    index ? compare(checker, object[key], index, at(key)) : { wrong: [], extra: [at(key)] },
  );
  return joined([...known, ...rest]);
}

function joined(all: readonly Differences[]): Differences {
  return { wrong: all.flatMap((one) => one.wrong), extra: all.flatMap((one) => one.extra) };
}
