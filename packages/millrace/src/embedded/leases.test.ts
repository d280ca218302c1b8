import { expect, it } from "vitest";
import { virtualClock } from "../testing/virtual-clock.js";
import { Leases } from "./leases.js";

it("a member that has left is not taken for alive, neither soon after a take-over nor later", async () => {
  const clock = virtualClock();
  const leases = new Leases(clock);
  expect(leases.alive("before")).toBe(true);
  leases.leave("before");
  expect(leases.alive("before")).toBe(false);
  await clock.advance(15_001);
  expect([leases.alive("before"), leases.alive("never heard of")]).toEqual([false, false]);
  leases.heard("here");
  leases.join("here", "counting");
  expect(leases.alive("here")).toBe(true);
  leases.leave("here");
  expect(leases.alive("here")).toBe(false);
  leases.heard("here");
  expect(leases.alive("here")).toBe(true);
});

it("a member that is silent for a lease loses its share", async () => {
  const clock = virtualClock();
  const leases = new Leases(clock);
  for (const member of ["a", "b"]) {
    leases.heard(member);
    leases.join(member, "counting");
  }
  const share = () => leases.share({ member: "a", consumer: "counting", topic: "steps" }, 8);
  expect(share()).toBe(4);
  await clock.advance(10_000);
  leases.heard("a");
  await clock.advance(6_000);
  expect([leases.expire(), share(), leases.expire()]).toEqual([true, 8, false]);
});
