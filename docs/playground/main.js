// The playground: one state, one worker that trains, and the pictures of what it answers.
import { START, read, written } from "./address.js";
import { Curves, drawChart } from "./chart.js";
import { fill, show, showCalls, taken } from "./controls.js";
import { Plane, point } from "./plane.js";

const element = (id) => document.getElementById(id);
const play = element("play"), notice = element("notice"), canvas = element("plane");
const plane = new Plane(canvas);
const PIECE = 0.06, MOST = 400; // seconds of training between two pictures; points of one's own

let state, choices, data = [], frame, before, curves, without, cursor;
let running = false, going = null, turn = 0, stroke = null, asked = 0, clock = [], last = { ...START };

// ---- the worker ----

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const waiting = new Map();

worker.onmessage = ({ data: { id, ...answer } }) => {
  const [resolve, reject] = waiting.get(id);
  waiting.delete(id);
  "error" in answer ? reject(new Error(answer.error)) : resolve(answer);
};
worker.onerror = (event) => say(`The worker cannot run: ${event.message}`, true);

// Ask playground.py, for instance ask({ do: "theta" }); in the console, window.ask.
const ask = (message) => new Promise((resolve, reject) => {
  waiting.set(++asked, [resolve, reject]);
  worker.postMessage({ id: asked, ...message });
});

// ---- training ----

const own = () => choices.games[state.game][state.data === "digits" ? "digits" : "plane"];

// Begin anew with the state as it is; what was running goes on running.
async function begin() {
  const mine = ++turn, { speed, ...settings } = state;
  without = state.bug && !last.bug && alike(state, last) ? curves : state.bug ? without : null;
  last = state;
  show(state, choices, own());
  address();
  if (state.data === "own" && !state.points.length) return empty();
  try {
    const answer = await ask({ do: "start", settings });
    if (mine !== turn) return;
    data = answer.data;
    [curves, before, clock] = [new Curves(), null, []];
    element("lines").replaceChildren();
    element("lines-hint").hidden = false;
    element("bug").classList.toggle("idle", Boolean(state.bug) && !answer.touched);
    seen(answer);
    if (running) going = again(mine);
  } catch (error) {
    if (mine === turn) halt(error);
  }
}

const alike = (a, b) => written({ ...a, bug: "", speed: "full" }) === written({ ...b, bug: "", speed: "full" });

async function again(mine) {
  while (running && mine === turn) {
    const slow = Number(state.speed) || 0, from = performance.now();
    try {
      const answer = await ask({ do: "run", ...(slow ? { steps: 1, seconds: 60 } : { seconds: PIECE }) });
      if (mine !== turn) return;
      before = slow ? frame : null;
      seen(answer);
    } catch (error) {
      if (mine === turn) halt(error);
      return;
    }
    if (slow) await new Promise((done) => setTimeout(done, 1000 / slow - (performance.now() - from)));
  }
}

function run(on = !running) {
  if (on === running || !frame) return;
  running = on;
  clock = [];
  element("run").textContent = running ? "Pause" : "Run";
  if (running) going = again(++turn);
  else describe();
}

async function step() {
  run(false);
  await going; // so that what is drawn grey is what the step began with
  if (!frame) return;
  const mine = ++turn;
  try {
    const answer = await ask({ do: "step" });
    if (mine !== turn) return;
    before = frame;
    showCalls(answer.calls);
    seen(answer);
  } catch (error) {
    if (mine === turn) halt(error);
  }
}

function halt(error) {
  run(false);
  frame = null;
  say(error.message, true);
}

function empty() {
  [frame, running] = [null, false];
  element("run").textContent = "Run";
  draw();
  say("Draw some points.");
}

// ---- what is seen ----

function seen(answer) {
  frame = answer;
  const { loss_D, loss_G } = answer.record, w1 = answer.w1 ?? NaN;
  if (loss_D !== undefined) curves.add(answer.step, { loss_D, loss_G, w1 });
  clock = [...clock.slice(-20), [performance.now(), answer.step]];
  play.dataset.step = answer.step;
  play.dataset.frames = Number(play.dataset.frames ?? 0) + 1;
  describe();
  requestAnimationFrame(draw);
}

function draw() {
  const blank = { x: [], pull: [], landscape: [] };
  const drawing = state.data === "own" && !running && !(frame?.step > 0);
  const ways = { landscape: frame && element("show-landscape").checked, arrows: frame && element("show-arrows").checked };
  const points = drawing || stroke ? state.points : null;
  plane.draw({ frame: frame ?? blank, before: ways.arrows ? before : null, data: frame ? data : [], points, cursor, show: ways });
  play.classList.toggle("drawing", state.data === "own");
  play.classList.toggle("has-before", Boolean(before));
  play.classList.toggle("has-without", Boolean(without));
  drawChart(element("losses"), [[without, "loss_D", "soft"], [without, "loss_G", "soft"], [curves, "loss_D", "data"], [curves, "loss_G", "delta"]]);
  if (state.data !== "digits") drawChart(element("w1"), [[without, "w1", "soft"], [curves, "w1", "tangent"]], { from0: true });
}

function describe() {
  const { step, w1, modes, of, share } = frame;
  const [[t0, s0], [t1, s1]] = [clock[0] ?? [0, 0], clock.at(-1) ?? [0, 0]];
  const rate = running && t1 > t0 ? Math.round((1000 * (s1 - s0)) / (t1 - t0)) : 0;
  play.dataset.rate = rate;
  play.dataset.modes = modes ?? "";
  const words = [`step ${step.toLocaleString("en")}`];
  if (rate) words.push(`${rate} steps a second`);
  if (w1 !== undefined) words.push(`W₁ ${w1.toFixed(3)}`);
  if (of) words.push(`${modes} of ${of} modes, ${Math.round(100 * share)}% of the samples within 3σ`);
  const outside = (frame.x ?? []).filter(([a, b]) => Math.max(Math.abs(a), Math.abs(b)) > 1.6).length;
  if (outside) words.push(`${outside} of ${frame.x.length} outside the picture`);
  say(words.join(" · "));
}

function say(text, wrong = false) {
  element("status").textContent = text;
  element("status").classList.toggle("wrong", wrong);
  if (play.hidden && wrong) notice.textContent = text;
}

// ---- the reader ----

function choose(next) {
  state = next;
  begin();
}

function address() {
  const words = written(state);
  history.replaceState(null, "", words ? `#${words}` : location.pathname + location.search);
}

function tabs() {
  for (const [id, is] of [["tab-plane", state.data !== "digits"], ["tab-digits", state.data === "digits"]]) {
    element(id).setAttribute("aria-selected", is);
    element(id).tabIndex = is ? 0 : -1;
  }
}

function tab(digits) {
  if (digits !== (state.data === "digits")) {
    const batch = digits ? 32 : START.batch;
    choose({ ...START, game: digits ? "gan" : START.game, batch, data: digits ? "digits" : START.data, points: state.points });
  }
  tabs();
}

function add(at) {
  const [x, y] = at.map((v) => Math.max(-1.6, Math.min(1.6, v))), end = state.points.at(-1);
  if (state.points.length >= MOST || (stroke !== null && end?.[2] === stroke && Math.hypot(end[0] - x, end[1] - y) < 0.04)) return;
  state.points.push([x, y, stroke ?? 0]);
  draw();
}

function pointer(event) {
  if (state.data !== "own" || (event.type === "pointermove" && stroke === null)) return;
  const box = canvas.getBoundingClientRect();
  if (event.type === "pointerdown") {
    run(false);
    frame = before = null;
    stroke = Math.min(9, (state.points.at(-1)?.[2] ?? -1) + 1);
    canvas.setPointerCapture(event.pointerId);
  }
  add(point(box.width, [event.clientX - box.left, event.clientY - box.top]));
}

function lifted() {
  if (stroke === null) return;
  stroke = null;
  begin();
}

const MOVES = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };

// On the picture, while drawing: true if the key was for it.
function drawKey(key) {
  if (state.data !== "own" || document.activeElement !== canvas || !(key in MOVES || key === "Enter")) return false;
  cursor ??= [0, 0];
  if (key in MOVES) cursor = cursor.map((v, i) => Math.max(-1.5, Math.min(1.5, v + MOVES[key][i])));
  else {
    add(cursor);
    begin();
  }
  draw();
  return true;
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, button, a")) return;
  const ways = { " ": () => run(), ArrowRight: step, r: begin };
  if (drawKey(event.key)) event.preventDefault();
  else if (ways[event.key]) {
    event.preventDefault();
    ways[event.key]();
  }
}

async function share() {
  await navigator.clipboard?.writeText(location.href).catch(() => {});
  element("share").textContent = "Copied";
  setTimeout(() => (element("share").textContent = "Copy link"), 1500);
}

function listen() {
  const on = (id, what, does) => element(id).addEventListener(what, does);
  on("run", "click", () => run());
  on("step", "click", step);
  on("again", "click", begin);
  on("share", "click", share);
  on("clear", "click", () => choose({ ...state, points: [] }));
  on("tab-plane", "click", () => tab(false));
  on("tab-digits", "click", () => tab(true));
  for (const id of ["tab-plane", "tab-digits"])
    on(id, "keydown", ({ key }) => /^Arrow(Left|Right)$/.test(key) && (tab(id === "tab-plane"), document.querySelector('[role="tab"][aria-selected="true"]').focus()));
  for (const id of ["show-landscape", "show-arrows"]) on(id, "change", draw);
  for (const what of ["pointerdown", "pointermove"]) on("plane", what, pointer);
  for (const what of ["pointerup", "pointercancel"]) on("plane", what, lifted);
  for (const what of ["focusin", "pointerover"])
    on("parameters", what, ({ target }) => {
      const { title } = target.closest("label") ?? {};
      if (title) element("help").textContent = title;
    });
  on("plane", "blur", () => { cursor = null; draw(); });
  document.addEventListener("keydown", key);
  addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("theme", draw);
  addEventListener("hashchange", () => {
    if (location.hash && !location.hash.includes("=")) return; // a section of the page, no choices
    choose(read(location.hash.slice(1), choices.games));
    tabs();
  });
}

async function main() {
  notice.textContent = "Python, NumPy and minigan are being loaded …";
  try {
    choices = await ask({ do: "about" });
  } catch (error) {
    notice.textContent = `Python could not be started: ${error.message}`;
    return;
  }
  state = read(location.hash.slice(1), choices.games);
  fill(choices, (target) => (target.name === "speed" ? ((state.speed = target.value), address()) : choose(taken(target, state, own()))));
  play.hidden = false;
  listen();
  tabs();
  await begin();
  notice.hidden = true;
  play.dataset.ready = true;
  Object.assign(window, { ask });
}

main();
