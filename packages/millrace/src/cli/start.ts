import { appFile, loadApp } from "./load.js";

/** Starts the app of a module, says where it is reached, and waits until it has stopped. */
export async function start(given: string | undefined): Promise<void> {
  const app = await loadApp(await appFile(given));
  await app.start();
  // A parent that watches for changes and is gone would leave an app that nobody stops.
  if (process.send !== undefined) process.once("disconnect", () => void app.stop());
  process.stdout.write(`ready${app.url === undefined ? "" : ` ${app.url}`}\n`);
  await app.closed;
  if (process.connected) process.disconnect();
}
