import ts from "typescript";
import { resolveRelative } from "./ast.js";
import { product, type Repo, type SourceFile } from "./repo.js";

/** Something that users can import, and where it is defined. */
export interface DoorExport {
  readonly name: string;
  readonly door: string;
  readonly file: SourceFile;
  readonly declarations: readonly ts.Node[];
}

export function doorsOf(repo: Repo): readonly SourceFile[] {
  return repo.product.filter((file) => file.path === `${product}index.ts` || file.path.endsWith("/index.ts"));
}

export function exportsOfDoor(repo: Repo, door: SourceFile): readonly DoorExport[] {
  return [...namesOf(repo, door, new Set())].flatMap(([name, target]) =>
    target === undefined ? [] : [{ name, door: door.path, ...target }],
  );
}

type Definition = Pick<DoorExport, "file" | "declarations">;

function namesOf(repo: Repo, file: SourceFile, seen: Set<string>): Map<string, Definition | undefined> {
  const names = new Map<string, Definition | undefined>();
  if (seen.has(file.path)) return names;
  seen.add(file.path);
  for (const [name, declarations] of declaredIn(file)) {
    if (declarations.some(isExported)) names.set(name, { file, declarations });
  }
  for (const statement of file.ast.statements) {
    if (!ts.isExportDeclaration(statement)) continue;
    const target = targetOf(repo, file, statement.moduleSpecifier);
    if (statement.exportClause === undefined) {
      if (target) for (const [name, definition] of namesOf(repo, target, seen)) names.set(name, definition);
    } else if (ts.isNamedExports(statement.exportClause)) {
      for (const element of statement.exportClause.elements) {
        names.set(element.name.text, definitionOf(repo, target ?? file, (element.propertyName ?? element.name).text));
      }
    }
  }
  return names;
}

/** Follows a name through re-exports and imports to the file of the repository that declares it. */
function definitionOf(repo: Repo, file: SourceFile, name: string, depth = 0): Definition | undefined {
  const declarations = declaredIn(file).get(name);
  if (declarations !== undefined) return { file, declarations };
  if (depth > 8) return undefined;
  for (const statement of file.ast.statements) {
    if (ts.isExportDeclaration(statement)) {
      const target = targetOf(repo, file, statement.moduleSpecifier);
      if (target === undefined) continue;
      if (statement.exportClause === undefined) {
        const found = definitionOf(repo, target, name, depth + 1);
        if (found) return found;
      } else if (ts.isNamedExports(statement.exportClause)) {
        const element = statement.exportClause.elements.find((candidate) => candidate.name.text === name);
        if (element) return definitionOf(repo, target, (element.propertyName ?? element.name).text, depth + 1);
      }
    }
    if (ts.isImportDeclaration(statement)) {
      const bindings = statement.importClause?.namedBindings;
      const target = targetOf(repo, file, statement.moduleSpecifier);
      if (target === undefined || bindings === undefined || !ts.isNamedImports(bindings)) continue;
      const element = bindings.elements.find((candidate) => candidate.name.text === name);
      if (element) return definitionOf(repo, target, (element.propertyName ?? element.name).text, depth + 1);
    }
  }
  return undefined;
}

function targetOf(repo: Repo, file: SourceFile, specifier: ts.Expression | undefined): SourceFile | undefined {
  if (specifier === undefined || !ts.isStringLiteral(specifier)) return undefined;
  const path = resolveRelative(file.path, specifier.text);
  return path === undefined ? undefined : repo.get(path);
}

function declaredIn(file: SourceFile): Map<string, ts.Node[]> {
  const declared = new Map<string, ts.Node[]>();
  const add = (name: ts.Node | undefined, node: ts.Node) => {
    if (name === undefined || !ts.isIdentifier(name)) return;
    declared.set(name.text, [...(declared.get(name.text) ?? []), node]);
  };
  for (const statement of file.ast.statements) {
    if (ts.isVariableStatement(statement)) {
      for (const declaration of statement.declarationList.declarations) add(declaration.name, statement);
    } else if (
      ts.isFunctionDeclaration(statement) ||
      ts.isClassDeclaration(statement) ||
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement)
    ) {
      add(statement.name, statement);
    }
  }
  return declared;
}

function isExported(node: ts.Node): boolean {
  return (
    ts.canHaveModifiers(node) &&
    (ts.getModifiers(node)?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword) ?? false)
  );
}
