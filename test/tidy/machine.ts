import type { Rule } from "./rule.js";

// Written in parts, so that this file does not break its own rule.
const host = (...parts: readonly string[]) => parts.join(".");
const hosts = [
  host("registry", "npmjs", "org"),
  host("registry", "yarnpkg", "com"),
  host("npm", "pkg", "github", "com"),
  host("files", "pythonhosted", "org"),
  host("static", "crates", "io"),
  host("proxy", "golang", "org"),
  host("repo1", "maven", "org"),
  host("repo", "maven", "apache", "org"),
  host("deb", "debian", "org"),
];
const home = new RegExp(
  `(?<![\\w.~*-])/(${["home", "Users"].join("|")})/[a-z][\\w-]*|(?<![\\w.~*/-])/ro${"ot"}/|C:\\\\Users\\\\`,
);

export const machineRule: Rule = {
  name: "no tracked file names a registry host or someone's home folder",
  fix: "leave hosts to npm's configuration, and paths relative to the repository",
  bad: [
    { "docs/a.md": `npm --registry https://${hosts[0]}/` },
    { "docs/a.md": `cd /${"home"}/ada/millrace` },
    { "a.json": `{"path": "/ro${"ot"}/.npm"}` },
  ],
  good: [{ "docs/a.md": "cd millrace && npm ci\nsrc/root/a.ts https://example.org/home/page" }],
  check: (repo) =>
    repo.files.flatMap((file) =>
      file.text.split("\n").flatMap((text, index) => {
        const found = hosts.find((name) => text.includes(name)) ?? home.exec(text)?.[0];
        return found === undefined ? [] : [{ path: file.path, line: index + 1, what: `names ${found}` }];
      }),
    ),
};
