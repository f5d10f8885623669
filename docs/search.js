// Finds headings, symbols and equation numbers in index.js. Reading needs none of this.
const form = document.getElementById("search");
form.innerHTML = '<input type="search" placeholder="Search" aria-label="Search"><ul></ul>';
const [input, list] = form.children;

function show() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = INDEX.filter(([name, kind]) =>
    words.every((word) => `${name} ${kind}`.toLowerCase().includes(word)));
  const early = (name) => name.toLowerCase().indexOf(words[0]) >>> 0;
  hits.sort(([a], [b]) => early(a) - early(b) || a.length - b.length);
  list.replaceChildren(...(words.length ? hits.slice(0, 12) : []).map(([name, kind, href]) => {
    const link = document.createElement("a"), small = document.createElement("small");
    link.href = href;
    small.textContent = kind;
    link.append(name, small);
    const item = document.createElement("li");
    item.append(link);
    return item;
  }));
}

input.addEventListener("input", show);
input.addEventListener("keydown", (event) => { if (event.key === "Escape") { input.value = ""; show(); } });
list.addEventListener("click", () => { input.value = ""; show(); });
form.addEventListener("submit", (event) => {
  event.preventDefault();
  list.querySelector("a")?.click();
});
