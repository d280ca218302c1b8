import { type Engine, type MillraceApp, millrace } from "millrace";
import { analyticsService } from "./analytics/service.js";
import { registerCustomer } from "./contracts/customers.js";
import { cancelOrder, placeOrder } from "./contracts/orders.js";
import { deliverStock } from "./contracts/stock.js";
import { type FraudRules, fraudService } from "./fraud/service.js";
import type { Desks } from "./inventory/counters.js";
import { inventoryService } from "./inventory/service.js";
import { loyaltyService } from "./loyalty/service.js";
import { httpMailer } from "./notifications/mailer.js";
import { httpOrdersApi } from "./notifications/orders-api.js";
import { notificationsService } from "./notifications/service.js";
import { catalogue } from "./orders/catalogue.js";
import { ordersService } from "./orders/service.js";
import { httpProvider } from "./payments/provider.js";
import { paymentsService } from "./payments/service.js";
import { readings } from "./readings.js";
import { warehouseService } from "./warehouse/service.js";

/** What the shop is made with. */
export interface ShopOptions {
  readonly engine: Engine;
  /** Where the outside systems are. */
  readonly outside: { readonly paymentsUrl: string; readonly mailUrl: string };
  /** Default 0: any free port. */
  readonly port?: number;
  readonly rules?: FraudRules;
  readonly desks?: Desks;
  /** Names of services that are not deployed: their backlog waits until they are. */
  readonly without?: readonly string[];
}

const rulesOfTheHouse: FraudRules = { guestPenceMax: 100_000, abroadPenceMax: 200_000 };
const desksOfTheHouse: Desks = { desks: 4, opening: (sku) => catalogue[sku]?.opening ?? 0 };

/**
 * Eight services in one program. What each depends on is passed in plainly; none of them knows another.
 *
 * The same list runs in eight programs just as well: nothing here is shared but the contracts.
 */
export function shop(options: ShopOptions): MillraceApp {
  const { engine, outside, port = 0, rules = rulesOfTheHouse, desks = desksOfTheHouse, without = [] } = options;
  const services = [
    ordersService({ catalogue }),
    inventoryService(desks),
    paymentsService({ provider: httpProvider(outside.paymentsUrl) }),
    fraudService({ rules }),
    loyaltyService(),
    notificationsService({ mailer: httpMailer(outside.mailUrl), ordersApi: httpOrdersApi(() => app.url) }),
    warehouseService(),
    analyticsService(),
  ].filter(({ name }) => !without.includes(name));
  const app: MillraceApp = millrace({
    services,
    engine,
    http: {
      port,
      routes: {
        "POST /orders": placeOrder,
        "POST /orders/{orderId}/cancel": cancelOrder,
        "PUT /customers/{customerId}": registerCustomer,
        "POST /stock/{sku}/deliveries": deliverStock,
      },
      mount: (http) => readings(http, () => app),
    },
  });
  return app;
}
