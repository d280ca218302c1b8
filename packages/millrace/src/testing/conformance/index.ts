export { type LogUnderTest, logConformance } from "./log.js";
export { type LogHistoryUnderTest, logHistoryConformance } from "./log-history.js";
export { type OperatorsUnderTest, operatorsConformance } from "./operators.js";
export { type Partitioner, partitionerConformance } from "./partitioner.js";
export { type SharedStoreUnderTest, sharedStoreConformance } from "./shared-store.js";
export { type StoreUnderTest, storeConformance } from "./store.js";
export type { ConformanceCase, Exceptions, Opened } from "./suite.js";
