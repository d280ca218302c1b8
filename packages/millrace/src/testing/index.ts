export type { Asked } from "./asked.js";
export { type LogUnderTest, logConformance } from "./conformance/log.js";
export { type OperatorsUnderTest, operatorsConformance } from "./conformance/operators.js";
export { type StoreUnderTest, storeConformance } from "./conformance/store.js";
export type { ConformanceCase, Exceptions } from "./conformance/suite.js";
export type { Effect } from "./expected.js";
export {
  type AskedAggregate,
  type DecidedAggregate,
  type GivenAggregate,
  type GivenEnvelope,
  given,
} from "./given.js";
export type { GivenService, Handled } from "./given-handler.js";
export type { GivenProjection } from "./given-projection.js";
export type { GivenSaga, Happening, SagaOutcome } from "./given-saga.js";
export {
  type Harness,
  type Harnessed,
  type HarnessLetter,
  type HarnessOptions,
  type HarnessTimer,
  harness,
} from "./harness.js";
export { type Verified, type VerifyOptions, verify } from "./verify.js";
export { type VirtualClock, virtualClock } from "./virtual-clock.js";
