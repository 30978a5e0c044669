// Reads queries, a JSON array of texts, and writes for each the offset where Grafana's grammar finds the first error, or null.
import { readFileSync } from "node:fs";
import { parser } from "@grafana/lezer-logql";

function firstError(query) {
  let offset = null;
  parser.parse(query).iterate({
    enter: (node) => {
      if (node.type.isError && offset === null) offset = node.from;
    },
  });
  return offset;
}

const queries = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(queries.map(firstError)));
