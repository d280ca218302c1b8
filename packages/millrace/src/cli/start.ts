import { appFile, loadApp } from "./load.js";

/** Starts the app of a module, or some of its services, says where it is reached, and waits until it has stopped. */
export async function start(given: string | undefined, { service }: { service?: string } = {}): Promise<void> {
  const app = await loadApp(await appFile(given));
  await app.start(service === undefined ? {} : { services: service.split(",").map((name) => name.trim()) });
  // A parent that watches for changes and is gone would leave an app that nobody stops.
  if (process.send !== undefined) process.once("disconnect", () => void app.stop());
  process.stdout.write(`ready${app.url === undefined ? "" : ` ${app.url}`}\n`);
  await app.closed;
  if (process.connected) process.disconnect();
}
