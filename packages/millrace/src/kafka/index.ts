export type { LogAdapter } from "../engine/halves.js";
export type { Compression } from "./compression.js";
export type { ForeignMapping, ForeignRecord } from "./foreign.js";
export { kafkaLog } from "./kafka.js";
export type { KafkaClient, KafkaLogOptions, KafkaTopicOptions } from "./options.js";
