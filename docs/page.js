// Dark or light, the sidebar, and the copy buttons. Reading needs none of this.
const root = document.documentElement;
const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const keep = (name, value) => { try { localStorage.setItem(name, value); } catch { /* it is not kept */ } };
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 1099px)");
root.classList.add("js");
// The theme that was chosen, "dark" or "light"; without one it is the system's.
function paint(theme) {
  document.getElementById("dark").media = theme === "dark" ? "screen" : "not all";
  root.dataset.theme = theme;
}

if (kept("theme")) paint(kept("theme"));
if (kept("contents") === "folded") root.classList.add("folded");

function button(label, name, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = name;
  made.setAttribute("aria-label", label);
  made.title = label;
  made.addEventListener("click", act);
  return made;
}

function addThemeSwitch(header) {
  const dark = () => (root.dataset.theme || (systemDark.matches ? "dark" : "light")) === "dark";
  const theme = button("Dark or light", "theme", () => {
    paint(dark() ? "light" : "dark");
    keep("theme", root.dataset.theme);
    theme.setAttribute("aria-pressed", dark());
    dispatchEvent(new Event("theme"));
  });
  theme.setAttribute("aria-pressed", dark());
  theme.innerHTML = '<svg viewBox="0 0 20 20" aria-hidden="true"><circle cx="10" cy="10" r="7"/><path d="M10 3a7 7 0 0 1 0 14z"/></svg>';
  header.append(theme);
}

// On a wide screen the contents stand beside the text and can be folded away; on a narrow one
// they are folded away, and come over it.
function addContents(menu, contents) {
  const shown = () => root.classList.contains(narrow.matches ? "drawer" : "folded") === narrow.matches;
  const tell = () => menu.setAttribute("aria-expanded", shown());
  const close = () => { root.classList.remove("drawer"); tell(); };
  menu.setAttribute("role", "button");
  menu.addEventListener("click", (event) => {
    event.preventDefault();
    root.classList.toggle(narrow.matches ? "drawer" : "folded");
    if (!narrow.matches) keep("contents", shown() ? "shown" : "folded");
    else if (shown()) contents.querySelector("[aria-current], a")?.focus();
    tell();
  });
  contents.addEventListener("click", (event) => { if (event.target.closest("a")) close(); });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#contents, #menu")) close();
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  narrow.addEventListener("change", close);
  tell();
  const here = contents.querySelector("[aria-current]");
  if (here) contents.scrollTop = here.offsetTop - contents.clientHeight / 3;
}

// Of a session at the prompt, what was typed; of anything else, all of it.
function typed(pre) {
  const copy = pre.cloneNode(true);
  const session = copy.querySelector(".gp");
  copy.querySelectorAll(".copy, .gp, .go, .gr, .gt").forEach((each) => each.remove());
  const text = copy.textContent;
  return session ? text.split("\n").filter((line) => line.trim()).join("\n") + "\n" : text.trimEnd() + "\n";
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function addCopy(pre) {
  const copy = button("Copy", "copy", async () => {
    copy.textContent = (await copied(typed(pre))) ? "copied" : "failed";
    setTimeout(() => { copy.textContent = "copy"; }, 1500);
  });
  copy.textContent = "copy";
  pre.append(copy);
}

document.addEventListener("DOMContentLoaded", () => {
  addThemeSwitch(document.querySelector("header"));
  addContents(document.getElementById("menu"), document.getElementById("contents"));
  document.querySelectorAll("main pre").forEach(addCopy);
});
