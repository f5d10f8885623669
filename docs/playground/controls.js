// The form: what can be chosen comes from the library itself, with its help and its defaults.
import { typed } from "./address.js";
import { BUGS } from "./files.js";

const form = document.querySelector(".choices");

export function fill({ games, bugs }, changed) {
  for (const name of Object.keys(games)) form.elements.game.append(new Option(name, name));
  for (const { name } of bugs)
    form.elements.bug.append(new Option(name.replace("1 over m", "1/m"), name));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", ({ target }) => changed(target));
}

// Puts the state into the form; `own` are the parameters of the game as they begin.
export function show(state, { games, bugs }, own) {
  for (const name of ["game", "batch", "seed", "speed", "bug"]) form.elements[name].value = state[name];
  if (state.data !== "digits") form.elements.data.value = state.data;
  form.elements.data.closest("label").hidden = state.data === "digits";
  document.getElementById("about").textContent = `${games[state.game].about[0].toUpperCase()}${games[state.game].about.slice(1)}.`;
  document.getElementById("hint").hidden = document.getElementById("clear").hidden = state.data !== "own";
  for (const each of document.querySelectorAll(".of-plane")) each.hidden = state.data === "digits";
  const fields = document.getElementById("parameters"), helps = games[state.game].parameters;
  fields.replaceChildren(fields.firstElementChild, ...Object.entries(own).map(([name, like]) => {
    const label = document.createElement("label"), input = document.createElement("input");
    const value = state.parameters[name] ?? like;
    label.title = helps[name];
    input.name = name;
    input.dataset.parameter = name;
    if (typeof like === "boolean") Object.assign(input, { type: "checkbox", checked: value });
    else input.value = Array.isArray(value) ? value.join(" ") : value;
    const code = document.createElement("code");
    code.textContent = name;
    label.append(code, input);
    return label;
  }));
  showBug(bugs.find((bug) => bug.name === state.bug));
}

function showBug(bug) {
  const box = document.getElementById("bug");
  box.hidden = !bug;
  if (!bug) return;
  box.firstElementChild.textContent = bug.looks;
  const link = document.createElement("a");
  link.href = BUGS[bug.name] ?? "bug-zoo.html";
  link.textContent = "In the bug zoo";
  box.lastElementChild.replaceChildren(bug.does, " ", link, ".");
}

// The state after a field was changed.
export function taken(target, state, own) {
  const { name, value, checked, type } = target;
  if (target.dataset.parameter) {
    const parameters = { ...state.parameters, [name]: typed(type === "checkbox" ? checked : value, own[name]) };
    if (String(parameters[name]) === String(own[name])) delete parameters[name];
    return { ...state, parameters };
  }
  const number = name === "batch" || name === "seed";
  const next = { ...state, [name]: number && value.trim() && !isNaN(value) ? Number(value) : value };
  return name === "game" ? { ...next, parameters: {} } : next;
}

// The calls of one step, each a link to the page and the name that it calls.
export function showCalls(calls) {
  document.getElementById("lines-hint").hidden = true;
  document.getElementById("lines").replaceChildren(...calls.map(([depth, page, name, equation, line, where, times]) => {
    const item = document.createElement("li"), link = document.createElement("a"), code = document.createElement("code");
    link.href = page === "bug-zoo" ? "bug-zoo.html" : `${page}.html#${name}`;
    link.textContent = (page === "bug-zoo" ? "the bug" : name) + (equation ? ` (${equation})` : "");
    code.textContent = line;
    item.style.setProperty("--depth", depth);
    const small = document.createElement("small");
    small.textContent = where + (times > 1 ? ` · ${times} times` : "");
    item.append(code, link, small);
    return item;
  }));
}
