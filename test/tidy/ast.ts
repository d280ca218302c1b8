import ts from "typescript";
import type { SourceFile } from "./repo.js";

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

export interface Import {
  readonly specifier: string;
  readonly position: number;
}

/** Static, re-exporting and dynamic imports, and `import("x")` types. */
export function importsOf(file: SourceFile): readonly Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node | undefined) => {
    if (node && ts.isStringLiteral(node)) found.push({ specifier: node.text, position: node.getStart(file.ast) });
  };
  walk(file.ast, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0]);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal);
  });
  return found;
}

export interface Comment {
  readonly text: string;
  readonly position: number;
}

/** Every comment once, also those inside of function bodies; text inside of strings is no comment. */
export function commentsOf(file: SourceFile): readonly Comment[] {
  const ranges = new Map<number, number>();
  const add = (range: ts.CommentRange) => ranges.set(range.pos, range.end);
  const visit = (node: ts.Node) => {
    if (node.kind === ts.SyntaxKind.JSDoc || node.kind === ts.SyntaxKind.JsxText) return;
    // Only tokens have comments of their own; a template's text would be read as code.
    if (node.getChildCount(file.ast) === 0) {
      ts.getLeadingCommentRanges(file.text, node.pos)?.forEach(add);
      if (!isTemplatePart(node)) ts.getTrailingCommentRanges(file.text, node.end)?.forEach(add);
    }
    node.getChildren(file.ast).forEach(visit);
  };
  visit(file.ast);
  return [...ranges].map(([position, end]) => ({ position, text: file.text.slice(position, end) }));
}

function isTemplatePart(node: ts.Node): boolean {
  return node.kind === ts.SyntaxKind.TemplateHead || node.kind === ts.SyntaxKind.TemplateMiddle;
}

/** Resolves a relative specifier ("../log/log.js") to a path in the repository ("…/log/log.ts"). */
export function resolveRelative(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/").replace(/\.js$/, ".ts");
}
