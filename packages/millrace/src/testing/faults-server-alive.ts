import { Wire } from "../postgres/wire.js";
import { systemClock } from "../runtime/clock.js";

/** How often processes look after what they share. */
const lookEveryMs = 1_000;

/** Has this process say oftener that it is alive, and look oftener who else is, so that leases may be short. */
export function serverAliveEvery(ms: number): void {
  const { after } = systemClock;
  systemClock.after = (waitMs, run) => after(waitMs === lookEveryMs ? ms : waitMs, run);
  const { open, close } = Wire.prototype;
  const beating = new WeakMap<Wire, NodeJS.Timeout>();
  Wire.prototype.open = async function (this: Wire) {
    await open.call(this);
    beating.set(this, setInterval(() => void this.join(), ms).unref());
  };
  Wire.prototype.close = async function (this: Wire) {
    clearInterval(beating.get(this));
    await close.call(this);
  };
}
