import { type Engine, type MillraceApp, millrace, type StartOptions } from "millrace";
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
import { orderSummary } from "./orders/event-sourced.js";
import { ordersService } from "./orders/service.js";
import { httpProvider } from "./payments/provider.js";
import { paymentsService } from "./payments/service.js";
import { readings } from "./readings.js";
import type { Style } from "./style.js";
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
  /** Default: a choreography of documents. */
  readonly style?: Style;
}

const choreographyOfDocuments: Style = { fulfilment: "choreographed", orders: "documents" };

const rulesOfTheHouse: FraudRules = { guestPenceMax: 100_000, abroadPenceMax: 200_000 };
const desksOfTheHouse: Desks = { desks: 4, opening: (sku) => catalogue[sku]?.opening ?? 0 };

/**
 * Eight services in one program. What each depends on is passed in plainly; none of them knows another.
 *
 * The same list runs in eight programs just as well: nothing here is shared but the contracts.
 */
export function shop(options: ShopOptions): MillraceApp {
  const { engine, outside, port = 0, rules = rulesOfTheHouse, desks = desksOfTheHouse } = options;
  const { style = choreographyOfDocuments } = options;
  const { fulfilment } = style;
  const services = [
    ordersService({ catalogue, style }),
    inventoryService({ ...desks, fulfilment }),
    paymentsService({ provider: httpProvider(outside.paymentsUrl), fulfilment }),
    fraudService({ rules, fulfilment }),
    loyaltyService(),
    notificationsService({ mailer: httpMailer(outside.mailUrl), ordersApi: httpOrdersApi(() => app.url) }),
    warehouseService({ fulfilment }),
    analyticsService(),
  ];
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
        // With `?after=TOKEN` of a command's answer, as of that command; `GET /orders?status=placed` finds them.
        ...(style.orders === "event-sourced" && { "GET /orders/{orderId}": orderSummary, "GET /orders": orderSummary }),
      },
      mount: (http) => readings(http, () => app, style),
    },
  });
  return app;
}

/** The services of the shop. */
export const names = ["orders", "inventory", "payments", "fraud", "loyalty", "notifications", "warehouse", "analytics"];

/** What `app.start` takes when some services are not deployed: their backlog waits until they are. */
export function without(...down: readonly string[]): StartOptions {
  return { services: names.filter((name) => !down.includes(name)) };
}
