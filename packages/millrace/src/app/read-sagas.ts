import { Failure } from "../failure/failure.js";
import { checkFields, shown } from "../runtime/options.js";
import { sagaDeclaration } from "../saga/declare.js";
import type { Instance, SagaStatus } from "../saga/instance.js";
import { instanceView, type SagaInstance } from "../saga/view.js";
import type { ServiceDeclaration } from "../service/service.js";
import type { Store } from "../store/store.js";
import { readDocuments } from "./read-documents.js";

/** Instances of a saga, seen from outside: committed state, read only. */
export interface ReadSaga<State> {
  get(key: string): Promise<SagaInstance<State> | undefined>;
  /** Those of a status, in the order of their keys. */
  find(
    where: { readonly status: SagaStatus },
    options?: { readonly limit?: number; readonly after?: string },
  ): Promise<readonly SagaInstance<State>[]>;
}

const statuses: readonly SagaStatus[] = ["early", "running", "compensating", "stuck", "completed", "aborted"];

/** The service that owns a part. */
function ownerOfPart(services: readonly ServiceDeclaration[], of: object): string {
  const owner = services.find(({ parts }) => parts.some((one) => one.of === of));
  if (owner !== undefined) return owner.name;
  throw new Failure("OPTION_INVALID", "saga: no service of this app owns it; add .owns(saga) to its service");
}

/** Reads a saga of this app. */
export function readSaga<State>(store: Store, services: readonly ServiceDeclaration[], of: object): ReadSaga<State> {
  const { plan, documents } = sagaDeclaration(of);
  const read = readDocuments<Instance>(store, services, documents, ownerOfPart(services, of));
  return {
    async get(key) {
      const instance = await read.get(key);
      return instance === undefined ? undefined : instanceView<State>(plan.name, instance);
    },
    async find(where, options) {
      const at = `app.saga(${plan.name}).find`;
      checkFields(where, at, '{ status: "stuck" }');
      const { status } = where;
      if (!statuses.includes(status))
        throw new Failure("OPTION_INVALID", `${at}: status is ${shown(status)}; there are ${statuses.join(", ")}`, {
          details: { option: "status" },
        });
      const found = await read.find({ status }, options);
      return found.map((instance) => instanceView<State>(plan.name, instance));
    },
  };
}
