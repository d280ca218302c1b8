export type { ConsumerStanding } from "./admin/standing.js";
export { type Aggregate, type AggregateOptions, aggregate } from "./aggregate/aggregate.js";
export type { Change } from "./aggregate/changes.js";
export type { Blame, Moment, StateAt } from "./aggregate/history.js";
export type {
  App,
  AppOptions,
  ConsumerStatus,
  Extension,
  Published,
  PublishManyOptions,
  PublishOptions,
  ReadDocuments,
  Running,
  SendOptions,
  Sent,
  StartOptions,
  TransactionOutbox,
} from "./app/app.js";
export type { MemoryOptions } from "./app/memory.js";
export type { ReadAggregate } from "./app/read-aggregate.js";
export type { ReadSaga } from "./app/read-sagas.js";
export type { Context, Documents, Refusal, SqlEffect, SqlInput } from "./consumer/handler.js";
export type {
  ConsumerOptions,
  Debounce,
  EventOptions,
  HandlerOptions,
  IsolatedOptions,
  PerKeyLimits,
  RateLimit,
  RetryOptions,
} from "./consumer/options.js";
export type { Part } from "./consumer/part.js";
export type {
  AnyContract,
  AnyEvent,
  Contract,
  DataOf,
  EventName,
  Message,
  MessageOf,
  NameOf,
  Received,
  ReceivedOf,
  Topic,
} from "./contract/contract.js";
export { type DocumentOptions, type DocumentType, documents } from "./contract/documents.js";
export { command, event } from "./contract/event.js";
export { topic } from "./contract/topic.js";
export { embedded } from "./embedded/embedded.js";
export type { Engine, EngineContext, OpenEngine, Transaction, Trouble } from "./engine/engine.js";
export type { LogAdapter, OpenLog, OpenStore, Risk, StoreAdapter } from "./engine/halves.js";
export type { FailureCode, Verdict } from "./failure/codes.js";
export { Failure, isFailure } from "./failure/failure.js";
export { commandRoutes, type Routable } from "./http/command-routes.js";
export type {
  CommandRoute,
  CommandRouteOptions,
  CommandRouteTable,
  HttpOptions,
  ProjectionRoute,
  RequestFacts,
  RouteName,
  RouteTable,
  RowsRouteName,
} from "./http/http.js";
export { type EngineEnvironment, engineFromEnv } from "./main/engine-from-env.js";
export {
  type MillraceApp,
  type MillraceOptions,
  millrace,
} from "./main/millrace.js";
export { type EngineOptions, engine } from "./outbox/engine.js";
export type { RowChange, SubscribeOptions } from "./projection/changes.js";
export {
  type Fold,
  type FoldOptions,
  type Projection,
  type ProjectionOptions,
  projection,
} from "./projection/projection.js";
export type { FindOptions, Range, RowPage, Where } from "./projection/query.js";
export type { GetOptions, ProjectionRows, ReachedOptions } from "./projection/rows.js";
export {
  type ProjectionTable,
  type SqlFold,
  type SqlProjection,
  type SqlProjectionOptions,
  sqlProjection,
} from "./projection/sql.js";
export type { Clock } from "./runtime/clock.js";
export type { Duration } from "./runtime/duration.js";
export { type Logger, pinoLogger, silentLogger } from "./runtime/logger.js";
export type { Random } from "./runtime/random.js";
export type { SagaStatus, StepStatus } from "./saga/instance.js";
export type { AbortReason, StepKind } from "./saga/plan.js";
export {
  type CommandAnswer,
  type Process,
  type ProcessInput,
  type ProcessInstance,
  type ProcessOptions,
  type ProcessOutput,
  process,
  type Woken,
} from "./saga/process.js";
export {
  type Keyed,
  type Saga,
  type SagaOptions,
  type SagaRetry,
  type StepOptions,
  type Steps,
  saga,
} from "./saga/saga.js";
export type { SagaInstance, SagaStep, SagaTimer, SagaTransition } from "./saga/view.js";
export { service } from "./service/declare.js";
export type { CommandHandler, Consumer, EventHandler, ScheduleOptions, Service } from "./service/service.js";
export type { Operation, OperationState } from "./store/unit.js";
