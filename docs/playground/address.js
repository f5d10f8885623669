// What the reader has chosen, in the part of the address after #: what differs from the start.

export const START = { data: "ring", game: "r3gan", batch: 128, seed: 0, bug: "", speed: "full", points: [], parameters: {} };
const PLAIN = ["data", "game", "batch", "seed", "bug", "speed"];
const SPAN = 36 ** 2 - 1, EDGE = 1.6; // a coordinate is two digits of base 36
const two = (v) => Math.round(((v + EDGE) / (2 * EDGE)) * SPAN).toString(36).padStart(2, "0");
const back = (s) => (parseInt(s, 36) / SPAN) * 2 * EDGE - EDGE;

export function written({ points, parameters, ...state }) {
  const words = new URLSearchParams();
  for (const name of PLAIN) if (state[name] !== START[name]) words.set(name, state[name]);
  for (const [name, value] of Object.entries(parameters))
    words.set(name, Array.isArray(value) ? value.join(" ") : value);
  const strokes = [];
  for (const [x, y, k] of points) strokes[k] = (strokes[k] ?? "") + two(x) + two(-y);
  if (points.length) words.set("points", strokes.join("."));
  return words.toString();
}

export function read(text, games) {
  const words = new URLSearchParams(text), state = { ...structuredClone(START) };
  for (const name of PLAIN)
    if (words.has(name)) state[name] = typeof START[name] === "number" ? Number(words.get(name)) : words.get(name);
  if (!(state.game in games)) state.game = START.game;
  for (const [name, value] of words)
    if (name in games[state.game].parameters)
      state.parameters[name] = typed(value, games[state.game].plane[name]);
  (words.get("points") ?? "").split(".").filter(Boolean).forEach((stroke, k) => {
    for (const [all, x, y] of stroke.matchAll(/(\w\w)(\w\w)/g)) state.points.push([back(x), -back(y), k]);
  });
  return state;
}

// What was typed, as the parameter's kind; what is no number goes to the library, which says so.
export function typed(text, like) {
  if (typeof like === "boolean") return text === true || text === "true";
  const number = (word) => (word.trim() === "" || isNaN(word) ? word : Number(word));
  return Array.isArray(like) ? text.split(/[\s,]+/).filter(Boolean).map(number) : typeof like === "number" ? number(text) : text;
}
