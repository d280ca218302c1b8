import { Failure } from "../failure/failure.js";
import { acting, actor } from "./connect.js";
import { readData } from "./data.js";
import type { CommonOptions } from "./options.js";
import { openOutput, printOne, readFormat } from "./output.js";

/** Publishes an event, or sends a command and waits until it is handled. */
export async function publish(
  type: string,
  given: string | undefined,
  options: CommonOptions & { readonly id?: string },
): Promise<void> {
  const output = openOutput(readFormat(options.output));
  const data = await readData(given, "the data");
  const id = options.id === undefined ? {} : { id: options.id };
  const report = await acting(options, (admin) => admin.publish({ type, data, actor: actor(), ...id }));
  printOne(output, report, () => {
    if (report.kind === "event")
      return [`published ${type} ${report.id} to ${report.topic}/${report.partition}@${report.offset}`];
    return [`${report.state} ${type}, operation ${report.operation}`];
  });
  if (report.kind === "event") return;
  if (report.state === "refused") {
    throw new Failure(
      "COMMAND_REFUSED",
      `${type} was refused: ${report.detail ?? report.refused ?? "no reason given"}`,
    );
  }
  if (report.state === "failed") {
    throw new Failure("COMMAND_FAILED", `${type} could not be handled; see: millrace dead-letters ls`);
  }
}
