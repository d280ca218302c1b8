import { shownRates, sizingTable } from "./sizing.js";

const given = process.argv.slice(2).map(Number);
if (given.some((rate) => !(rate > 0))) {
  console.error("npm run sizing -- [events per minute …]");
  process.exitCode = 2;
} else console.log(sizingTable(given.length > 0 ? given : shownRates));
