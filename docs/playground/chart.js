// Curves over the steps of training, with an axis of values; old points are thinned out.
import { colour } from "./plane.js";

const MOST = 400, LEFT = 44, BELOW = 20, ABOVE = 8;

export class Curves {
  constructor() {
    this.steps = [];
    this.values = {};
  }

  add(step, values) {
    this.steps.push(step);
    for (const [name, value] of Object.entries(values)) (this.values[name] ??= []).push(value);
    if (this.steps.length > MOST)
      for (const row of [this.steps, ...Object.values(this.values)])
        row.splice(0, row.length, ...row.filter((_, i) => i % 2 === 1));
  }
}

// curves: [[Curves, name, name of a colour], …]; floor: the least that the axis spans.
export function drawChart(canvas, curves, { from0 = false } = {}) {
  const width = canvas.clientWidth, height = canvas.clientHeight, dense = devicePixelRatio || 1;
  canvas.width = Math.round(width * dense);
  canvas.height = Math.round(height * dense);
  const pen = canvas.getContext("2d");
  pen.setTransform(dense, 0, 0, dense, 0, 0);
  const there = curves.filter(([c, name]) => c?.values[name]?.length);
  const all = there.flatMap(([c, name]) => c.values[name]).filter(isFinite);
  let low = Math.min(...all, from0 ? 0 : Infinity), high = Math.max(...all);
  if (!all.length) [low, high] = [0, 1];
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  const last = Math.max(1, ...there.map(([c]) => c.steps.at(-1)));
  const x = (step) => LEFT + (step / last) * (width - LEFT - 8);
  const y = (value) => height - BELOW - ((value - low) / (high - low)) * (height - BELOW - ABOVE);
  axis(pen, { width, height, low, high, last, x, y });
  for (const [c, name, ink] of there) {
    pen.strokeStyle = colour(ink);
    pen.lineWidth = ink === "soft" ? 1.2 : 1.6;
    pen.beginPath();
    c.values[name].forEach((value, i) => isFinite(value) && pen.lineTo(x(c.steps[i]), y(value)));
    pen.stroke();
  }
}

function axis(pen, { width, height, low, high, last, x, y }) {
  const step = nice((high - low) / 3);
  pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  pen.textBaseline = "middle";
  pen.lineWidth = 1;
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-12; value += step) {
    pen.strokeStyle = colour("line");
    pen.beginPath();
    pen.moveTo(LEFT, y(value));
    pen.lineTo(width - 8, y(value));
    pen.stroke();
    pen.fillStyle = colour("soft");
    pen.textAlign = "right";
    pen.fillText(String(Number(value.toPrecision(6))), LEFT - 6, y(value));
  }
  pen.textAlign = "left";
  pen.fillText("0", LEFT, height - 8);
  pen.textAlign = "right";
  pen.fillText(`${last.toLocaleString("en")} steps`, width - 8, height - 8);
}

// 1, 2 or 5 times a power of ten, at least so large.
function nice(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return power * [1, 2, 5, 10].find((k) => k * power >= size);
}
