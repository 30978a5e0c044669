// Reads objects of custom kinds, a JSON array, and writes for each what is wrong with it, as texts: values by the
// validators of their definitions, unknown fields by their types, which TypeScript holds an object literal against.
import { readFileSync } from "node:fs";
import ts from "typescript";

const GROUPS = {
  "gateway.networking.k8s.io": "gateway-api",
  "keda.sh": "keda",
  "monitoring.coreos.com": "prometheus-operator",
};

const packageOf = ({ apiVersion, kind }) =>
  `@kubernetes-models/${GROUPS[apiVersion.split("/")[0]]}/${apiVersion}/${kind}`;

async function wrongValues(object) {
  try {
    const { [object.kind]: Kind } = await import(packageOf(object));
    new Kind(object).validate();
    return [];
  } catch (error) {
    return [error.message];
  }
}

function unknownFields(objects) {
  const file = new URL("objects.check.ts", import.meta.url).pathname;
  const lines = objects.map(
    (object, index) =>
      `import type { I${object.kind} as T${index} } from "${packageOf(object)}"; ` +
      `export const o${index}: T${index} = ${JSON.stringify(object)};`,
  );
  const options = { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext };
  const host = ts.createCompilerHost({});
  const read = host.getSourceFile;
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(file, lines.join("\n"), ts.ScriptTarget.ES2022) : read(name, ...rest);
  const program = ts.createProgram([file], { ...options, noEmit: true, skipLibCheck: true, strict: true, types: [] }, host);
  const found = objects.map(() => []);
  for (const { file: source, start, messageText } of ts.getPreEmitDiagnostics(program)) {
    const text = ts.flattenDiagnosticMessageText(messageText, " ");
    found[source ? source.getLineAndCharacterOfPosition(start).line : 0].push(text);
  }
  return found;
}

const objects = JSON.parse(readFileSync(0, "utf8"));
const unknown = unknownFields(objects);
const wrong = await Promise.all(objects.map(wrongValues));
process.stdout.write(JSON.stringify(objects.map((_, index) => [...wrong[index], ...unknown[index]])));
