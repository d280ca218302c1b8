#!/usr/bin/env node
// npm links a package's commands before it is built; this file is there before dist/ is.
await import("../dist/cli/main.js");
