import { appFile, loadApp } from "./load.js";

/** What `start` and `dev` take. */
export interface StartCommand {
  readonly service?: string;
  readonly acceptRisk?: readonly string[];
}

/** Starts the app of a module, or some of its services, says where it is reached, and waits until it has stopped. */
export async function start(given: string | undefined, options: StartCommand = {}): Promise<void> {
  const { service } = options;
  const app = await loadApp(await appFile(given));
  const acceptRisks = [...(options.acceptRisk ?? []), process.env.MILLRACE_ACCEPT_RISK ?? ""].flatMap(namesIn);
  await app.start({
    ...(service === undefined ? {} : { services: service.split(",").map((name) => name.trim()) }),
    ...(acceptRisks.length === 0 ? {} : { acceptRisks }),
  });
  // A parent that watches for changes and is gone would leave an app that nobody stops.
  if (process.send !== undefined) process.once("disconnect", () => void app.stop());
  process.stdout.write(`ready${app.url === undefined ? "" : ` ${app.url}`}\n`);
  await app.closed;
  if (process.connected) process.disconnect();
}

const namesIn = (list: string): readonly string[] =>
  list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
