import type { Pause, Sample } from "./memory-series.js";

const width = 960;
const left = 64;
const right = 16;
const inner = width - left - right;
const mebibyte = 1024 * 1024;

/** A panel of the plot: lines over time, on one scale. */
interface Panel {
  readonly title: string;
  readonly top: number;
  readonly height: number;
  readonly max: number;
  readonly lines: readonly { readonly name: string; readonly color: string; readonly of: (sample: Sample) => number }[];
}

/** Memory and lag over the minutes of a run, as SVG. The time in which the consumer was paused is shaded. */
export function plotOf(samples: readonly Sample[], pause: Pause): string {
  const end = Math.max(1, samples.at(-1)?.second ?? 1);
  const x = (second: number) => left + (second / end) * inner;
  const most = (of: (sample: Sample) => number) => niceAbove(Math.max(1, ...samples.map(of)));
  const waiting = (sample: Sample) => (sample.acknowledged - sample.archive) / 1_000;
  const panels: readonly Panel[] = [
    {
      ...{ title: "memory of the process, MiB", top: 32, height: 240, max: most(({ rss }) => rss / mebibyte) },
      lines: [
        { name: "resident", color: "#0b6bcb", of: ({ rss }) => rss / mebibyte },
        { name: "JavaScript heap", color: "#c2410c", of: ({ heapUsed }) => heapUsed / mebibyte },
      ],
    },
    {
      ...{ title: "events waiting for the paused consumer, thousands", top: 324, height: 120, max: most(waiting) },
      lines: [{ name: "waiting", color: "#15803d", of: waiting }],
    },
  ];
  const shade = panels.map(
    ({ top, height }) =>
      `<rect x="${px(x(pause.from))}" y="${top}" width="${px(x(pause.to) - x(pause.from))}" height="${height}" fill="#e5e7eb"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} 490" font-family="sans-serif" font-size="12">`,
    "<title>Memory of a process and events waiting in it, over the minutes of a run</title>",
    `<rect width="${width}" height="490" fill="#ffffff"/>`,
    ...shade,
    ...panels.flatMap((panel) => drawPanel(panel, samples, x)),
    ...minutes(end).map((minute) => `<text x="${px(x(minute * 60))}" y="464" text-anchor="middle">${minute}</text>`),
    `<text x="${left + inner / 2}" y="482" text-anchor="middle">minutes; grey: one of two consumers is paused</text>`,
    "</svg>",
    "",
  ].join("\n");
}

function drawPanel(
  { title, top, height, max, lines }: Panel,
  samples: readonly Sample[],
  x: (second: number) => number,
) {
  const y = (value: number) => top + height - (value / max) * height;
  const grid = [0, 0.25, 0.5, 0.75, 1].map((part) => max * part);
  return [
    `<text x="${left}" y="${top - 10}" font-weight="bold">${title}</text>`,
    ...grid.flatMap((value) => [
      `<line x1="${left}" x2="${left + inner}" y1="${px(y(value))}" y2="${px(y(value))}" stroke="#d1d5db"/>`,
      `<text x="${left - 8}" y="${px(y(value) + 4)}" text-anchor="end">${Math.round(value)}</text>`,
    ]),
    ...lines.map(
      ({ color, of }) =>
        `<polyline fill="none" stroke="${color}" stroke-width="1.5" points="${samples.map((one) => `${px(x(one.second))},${px(y(of(one)))}`).join(" ")}"/>`,
    ),
    ...lines.map(
      ({ name, color }, index) =>
        `<text x="${left + inner - 8}" y="${top + 16 + 16 * index}" fill="${color}" text-anchor="end">${name}</text>`,
    ),
  ];
}

const px = (value: number) => value.toFixed(1);

/** The next number above that is 1, 2, 4 or 8 times a power of ten. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 8, 10].map((times) => times * power).find((nice) => nice >= value) ?? value;
}

/** At most twenty whole minutes. */
function minutes(seconds: number): readonly number[] {
  const step = Math.max(1, Math.ceil(seconds / 60 / 20));
  return Array.from({ length: Math.floor(seconds / 60 / step) + 1 }, (_, index) => index * step);
}
