import { parseArgs } from "node:util";
import { isFailure } from "millrace";
import { shopToTry } from "./running.js";
import { defaultDir, styleFlags, styleOf, styleUsage } from "./style.js";
import { startTraffic } from "./traffic.js";

const usage = `Usage: npm start -- [--orchestrated] [--event-sourced] [--port N] [--data-dir DIR] [--quiet]

${styleUsage}
  --port N         where the shop listens (default: $PORT, else 4000; 0: any free port)
  --data-dir DIR   where its data is (default: ./.millrace, in a folder of its own for each further style)
  --quiet          place no orders by itself
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: process.env.PORT ?? "4000" },
      "data-dir": { type: "string" },
      quiet: { type: "boolean", default: false },
      ...styleFlags,
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new TypeError(`--port is ${values.port}, not a port`);
  const style = styleOf(values);
  const dir = values["data-dir"] ?? defaultDir(style);
  const { app, outside } = await shopToTry({ dir, port, style });
  await app.start();
  const url = String(app.url);
  process.stdout.write(`ready ${url}\n${instructions({ url, dir, ...outside })}`);
  if (values.quiet) return;
  const traffic = startTraffic(app, { everyMs: 1_500 });
  await app.closed;
  traffic.stop();
}

function instructions(at: { url: string; dir: string; paymentsUrl: string; mailUrl: string }): string {
  const dir = at.dir === "./.millrace" ? "" : ` --dir ${at.dir}`;
  const order = `{"orderId":"mine-1","customerId":"ada","lines":[{"sku":"teapot-blue","quantity":2}]}`;
  return `
Try, in another terminal:

  1. Place an order, and see what became of it (the answer's Location is its operation):
     curl -i ${at.url}/orders -H 'content-type: application/json' -d '${order}'
     curl ${at.url}/orders/mine-1

  2. See what it set off, across eight services:
     npx millrace explain key:mine-1${dir}

  3. Mend what failed. One order in twelve has a postcode that the label printer cannot print; its
     events wait in the dead letters of "warehouse", in order, while all other orders flow on:
     npx millrace dead-letters ls${dir}
     npx millrace dead-letters edit ENTRY --set deliverTo.postcode="N1 9GU" --reason "asked the customer"${dir}
     npx millrace dead-letters redrive ENTRY --reason "postcode mended"${dir}

Make the world worse: curl -X PUT ${at.paymentsUrl}/behaviour -d '{"latencyMs":500,"failing":0.5}'
(the mail server: ${at.mailUrl}). Order twelve of globe-antique for a shortage, seventeen of clock-station for a refusal.
`;
}

try {
  await main();
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(
    `${isFailure(error) ? `${error.code}: ${text}` : text}\n${isFailure(error) ? "" : `\n${usage}`}`,
  );
  process.exitCode = error instanceof TypeError ? 2 : 1;
}
