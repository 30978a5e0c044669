// Reads dashboards, a JSON array, and writes for each what Grafana's own types say against it, as [place, sentence] pairs.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const path = fileURLToPath(new URL("dashboards.ts", import.meta.url));
const ajv = new Ajv({ allErrors: true, strict: false });

function schema(type) {
  return createGenerator({ path, type, expose: "none", skipTypeCheck: true }).createSchema(type);
}

// The panel fills in what its options lack, though its types call it required.
function withoutRequired(value) {
  if (value && typeof value === "object") {
    delete value.required;
    Object.values(value).forEach(withoutRequired);
  }
  return value;
}

function objections(check, value, place) {
  if (check(value)) return [];
  return check.errors.map((error) => [
    place + error.instancePath,
    `${error.message} ${error.params.additionalProperty ?? ""}`.trim(),
  ]);
}

const board = ajv.compile(schema("Board"));
const found = withoutRequired(schema("Panels"));
const kinds = found.properties ?? found.definitions.Panels.properties;
const panels = Object.fromEntries(
  Object.entries(kinds).map(([kind, part]) => [kind, ajv.compile({ ...part, definitions: found.definitions })]),
);

function judged(dashboard) {
  const shown = (dashboard.panels ?? []).flatMap((panel) => (panel.type === "row" ? panel.panels : [panel]));
  const options = shown
    .filter((panel) => panels[panel.type])
    .flatMap((panel) =>
      objections(
        panels[panel.type],
        { options: panel.options ?? {}, custom: panel.fieldConfig?.defaults?.custom ?? {} },
        panel.title,
      ),
    );
  return [...objections(board, dashboard, ""), ...options];
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(judged)));
