// Full-text search: MiniSearch over the texts in index.js, both loaded when the field is first used.
// Symbols and equations are found by their names, before the texts. Reading needs none of this.
const form = document.getElementById("search");
form.innerHTML = '<input type="search" placeholder="Search" role="combobox" aria-label="Search the book"'
  + ' aria-expanded="false" aria-controls="found" aria-autocomplete="list" autocomplete="off">'
  + '<ul id="found" role="listbox" aria-label="What was found" hidden></ul>';
const [input, list] = form.children;
let index = null, loading = null, chosen = -1;

const load = (src) => new Promise((resolve, reject) => {
  const script = document.createElement("script");
  script.src = src;
  script.onload = resolve;
  script.onerror = reject;
  document.head.append(script);
});

function ready() {
  loading ??= Promise.all([load("minisearch.js"), load("index.js")]).then(() => {
    index = MiniSearch.loadJS(TEXTS, SEARCH);
  });
  return loading;
}

// Symbols that end in the words or begin with them, and equations of that number.
function named(asked) {
  const query = asked.toLowerCase().replace(/\(\)$/, "");
  const last = (name) => name.toLowerCase().split(".").at(-1);
  const number = /^\(?t?\d{1,2}[a-z]?\)?$/.test(query) ? `(${query.replace(/[()]/g, "")})` : null;
  const hits = NAMES.filter(([name]) => {
    const lower = name.toLowerCase();
    return number ? lower === number
      : lower === query || last(name) === query || (query.length > 3 && lower.startsWith(query));
  });
  hits.sort(([a], [b]) => (b.toLowerCase() === query) - (a.toLowerCase() === query) || a.length - b.length);
  return hits.slice(0, 4).map(([title, page, href]) => ({ title, page, href, text: "" }));
}

// What has all the words; two of them may be one word there, as in LeakyReLU. Else what has some.
function search(asked) {
  const words = asked.split(/\s+/);
  const ways = words.map((_, i) => [...words.slice(0, i), words.slice(i, i + 2).join(""), ...words.slice(i + 2)]);
  const queries = [words, ...ways.slice(0, -1)].map((way) => ({ combineWith: "AND", queries: way }));
  const all = index.search({ combineWith: "OR", queries });
  return [...named(asked), ...(all.length ? all : index.search(asked))].slice(0, 10);
}

// The text around the first word that was found, with every such word marked.
function excerpt({ text, terms = [] }) {
  const words = text.split(" ");
  const isHit = (word) => word.split(/[^\p{L}\p{N}]+/u).some((part) =>
    part && terms.includes(SEARCH.processTerm(part)));
  const at = Math.max(0, words.findIndex(isHit) - 5);
  const line = document.createElement("span");
  if (at) line.append("… ");
  for (const word of words.slice(at, at + 24)) {
    const piece = document.createElement(isHit(word) ? "mark" : "span");
    piece.textContent = word;
    line.append(piece, " ");
  }
  return line;
}

function row(hit, number) {
  const item = document.createElement("li"), link = document.createElement("a");
  const small = document.createElement("small");
  item.setAttribute("role", "option");
  item.id = `found-${number}`;
  link.href = hit.href;
  link.tabIndex = -1;
  small.textContent = hit.page === hit.title ? "" : hit.page;
  const title = document.createElement("b");
  title.textContent = hit.title;
  link.append(title, small);
  if (hit.text) link.append(excerpt(hit));
  item.append(link);
  return item;
}

function choose(number) {
  chosen = number;
  [...list.querySelectorAll("[role=option]")].forEach((item, i) => {
    item.setAttribute("aria-selected", i === number);
    if (i === number) item.scrollIntoView({ block: "nearest" });
  });
  if (number < 0) input.removeAttribute("aria-activedescendant");
  else input.setAttribute("aria-activedescendant", `found-${number}`);
}

async function show() {
  const asked = input.value.trim();
  if (asked) await ready();
  if (asked !== input.value.trim()) return;
  const hits = asked ? search(asked) : [];
  list.replaceChildren(...hits.map(row));
  if (asked && !hits.length) {
    const item = document.createElement("li");
    item.className = "nothing";
    item.setAttribute("role", "status");
    item.textContent = `Nothing was found for “${asked}”.`;
    list.append(item);
  }
  list.hidden = !asked;
  list.dataset.asked = asked;
  input.setAttribute("aria-expanded", !list.hidden);
  choose(-1);
}

function close() {
  input.value = "";
  show();
}

input.addEventListener("focus", ready);
input.addEventListener("input", show);
input.addEventListener("keydown", (event) => {
  const count = list.querySelectorAll("[role=option]").length;
  if (event.key === "Escape") close();
  else if (event.key === "ArrowDown" && count) choose((chosen + 1) % count);
  else if (event.key === "ArrowUp" && count) choose((chosen <= 0 ? count : chosen) - 1);
  else return;
  event.preventDefault();
});
list.addEventListener("click", (event) => { if (event.target.closest("a")) close(); });
document.addEventListener("click", (event) => { if (!event.target.closest("#search")) list.hidden = true; });
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, textarea, select")) {
    event.preventDefault();
    input.focus();
  }
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  list.querySelectorAll("a")[Math.max(chosen, 0)]?.click();
});
