import type { Risk } from "../engine/halves.js";
import { Failure } from "../failure/failure.js";
import type { Logger } from "../runtime/logger.js";

/**
 * Refuses to start on servers whose settings would break a promise, unless each of these risks is accepted by its name.
 * Those that are accepted are said in the log, at every start.
 *
 * @throws {Failure} RISK_REFUSED, which lists them all.
 */
export function refuseRisks(risks: readonly Risk[], accepted: readonly string[], logger: Logger): void {
  const refused = risks.filter(({ name }) => !accepted.includes(name));
  for (const { name, what } of risks)
    if (accepted.includes(name)) logger.warn({ risk: name }, `the risk ${name} is accepted: ${what}`);
  for (const name of accepted)
    if (!risks.some((risk) => risk.name === name))
      logger.info({ risk: name }, `the risk ${name} is accepted, but there is none of this name here; take it out`);
  if (refused.length === 0) return;
  const names = [...new Set(refused.map(({ name }) => name))];
  const lines = refused.map(({ name, what }) => `- ${name}: ${what}`);
  const [first] = names;
  throw new Failure(
    "RISK_REFUSED",
    `the servers have settings that would break what Millrace promises:\n${lines.join("\n")}\n` +
      `Mend them; or accept a risk by its name: millrace start --accept-risk ${first}, MILLRACE_ACCEPT_RISK=${names.join(",")}, ` +
      `or acceptRisks: ["${names.join('", "')}"] of engine()`,
    { details: { risks: names } },
  );
}
