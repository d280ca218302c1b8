import { type AnyContract, contractDeclaration } from "../contract/contract.js";
import type { ContractDeclaration } from "../contract/declaration.js";
import { Failure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import type { ServiceDeclaration } from "../service/service.js";

/** Every contract that the services mention: what they hear, handle, emit and own. By type. */
function contractsOf(services: readonly ServiceDeclaration[]): ReadonlyMap<string, AnyContract> {
  const found = new Map<string, AnyContract>();
  const add = (contract: AnyContract): void => void found.set(contract.type, contract);
  for (const service of services) {
    const subscriptions = [...service.consumers.flatMap((consumer) => consumer.subscriptions), ...service.commands];
    for (const { contract, options } of subscriptions) {
      add(contract);
      for (const emitted of options.emits ?? []) add(emitted);
    }
    for (const topic of service.owned) for (const contract of Object.values<AnyContract>(topic)) add(contract);
  }
  return found;
}

/**
 * The contract of a type.
 *
 * @throws {Failure} CONTRACT_UNKNOWN naming types that are spelled alike.
 */
export function contractOf(services: readonly ServiceDeclaration[], type: string): AnyContract {
  const contracts = contractsOf(services);
  const found = contracts.get(type);
  if (found !== undefined) return found;
  const near = [...contracts.keys()].filter(
    (name) => name.includes(type) || type.includes(name) || name.split(".")[0] === type.split(".")[0],
  );
  const hint = near.length === 0 ? "" : `; did you mean ${near.slice(0, 5).join(", ")}?`;
  throw new Failure(
    "CONTRACT_UNKNOWN",
    `no service of the running app declares ${JSON.stringify(type.slice(0, 120))}${hint}`,
  );
}

/** Why a stored event would not be given to its handler; undefined when it would. */
export function problemOf(contracts: ReadonlyMap<string, ContractDeclaration>, record: LogRecord): string | undefined {
  const contract = contracts.get(record.type);
  if (contract === undefined) return `no service of the running app declares ${record.type}`;
  if (record.bytes !== undefined) return "its bytes are not JSON";
  if (record.version > contract.version)
    return `it has version ${record.version}, the running app knows version ${contract.version}`;
  return contract.check(record.data);
}

/**
 * Checks data that an operator wrote against a contract, and gives its JSON text, and the contract's version.
 *
 * @throws {Failure} CONTRACT_REJECTED with path and reason; also when the key would change, because the lane is the key's.
 */
export function checkEdit(
  contract: AnyContract,
  data: unknown,
  key: string,
): { readonly text: string; readonly version: number } {
  const declaration = contractDeclaration(contract);
  const accepted = declaration.accept(data);
  if (declaration.keyOf(accepted) === key) {
    return { text: declaration.textOf(accepted), version: declaration.version };
  }
  const where = `${declaration.type} v${declaration.version}: /${declaration.key}`;
  throw new Failure(
    "CONTRACT_REJECTED",
    `${where} is the key, which an edit cannot change: it decides the event's place in line`,
    {
      details: { path: `/${declaration.key}` },
    },
  );
}
