// A fresh process, as `start` measures it: prints one line when it is ready, one with its memory when it has been idle
// for a while, and ends when its parent lets go.
const [kind, dir, idleMs] = process.argv.slice(2) as [string, string, string];

/** Our app: two services, a topic each, documents. */
async function app(): Promise<void> {
  const { owner, startApp } = await import("./orders-app.js");
  const { paymentsService } = await import("./accounts.js");
  await startApp(dir, [owner, paymentsService(() => {})]);
}

/** The least a durable program of ours could be: Node, and an SQLite file opened. */
async function bare(): Promise<void> {
  const { openPlain } = await import("./plain-sqlite.js");
  openPlain(`${dir}/plain.db`).exec("CREATE TABLE IF NOT EXISTS log(pos INTEGER PRIMARY KEY)");
}

const began = performance.now();
await (kind === "app" ? app() : bare());
process.stdout.write(`ready ${performance.now() - began}\n`);
setTimeout(() => process.stdout.write(`resident ${process.memoryUsage.rss()}\n`), Number(idleMs));
process.stdin.resume().on("end", () => process.exit());
