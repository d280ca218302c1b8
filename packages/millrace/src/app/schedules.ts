import type { ConsumerHost } from "../consumer/plan.js";
import { Schedule } from "../consumer/schedules.js";
import type { ServiceDeclaration } from "../service/service.js";

/** The schedules of all services, ready to be opened. */
export function schedulesOf(services: readonly ServiceDeclaration[], host: ConsumerHost): readonly Schedule[] {
  return services.flatMap((service) =>
    service.schedules.map(({ name, options, make }) => {
      const { cron, timezone = "UTC", missed = "last" } = options;
      return new Schedule({ service: service.name, name, cron, timezone, missed, make }, host);
    }),
  );
}
