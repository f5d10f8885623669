// What lies outside its column or is too wide or too narrow to read, code that is cut, and texts
// of figures that leave their drawing, cover each other, or are too small or too faint.
() => {
  const box = (e) => e.getBoundingClientRect();
  const name = (e) =>
    `${e.tagName} ${e.className.baseVal ?? e.className} ${e.textContent.slice(0, 50)}`;
  const main = document.querySelector("main"), contents = box(document.getElementById("contents"));
  const page = document.documentElement.clientWidth, margin = matchMedia("print").matches ? -1 : 14;

  const shown = (e) =>
    e.getClientRects().length && !e.closest("svg, .katex, .scroll, details:not([open])");
  const scrolls = (e) => {
    for (; e && e !== main; e = e.parentElement)
      if (/auto|scroll/.test(getComputedStyle(e).overflowX)) return true;
    return false;
  };
  const blocks = "p, li, h1, h2, h3, pre, figure, dl, blockquote";
  const all = [...main.querySelectorAll(blocks)].filter(shown);
  const outside = all.filter((e) => box(e).left < box(main).left + margin
    || (box(e).right > page - margin && !scrolls(e)));
  const columns = "main > p, .after > p, .derivation > p:not(.kicker), .block .prose > p";
  const widths = all.filter((e) => e.matches(columns)
    && (box(e).width > 800 || box(e).width < Math.min(300, page - 60)));
  const cut = all.filter((e) => e.tagName === "PRE" && e.scrollWidth > e.clientWidth + 1);

  const texts = [];
  for (const svg of main.querySelectorAll("svg.plot:not(.zoo)")) {
    const labels = [...svg.querySelectorAll("text")].filter((e) => e.textContent.trim());
    const rects = labels.map(box), frame = box(svg), id = svg.closest("figure").id;
    const scale = frame.width / svg.viewBox.baseVal.width;
    rects.forEach((r, i) => {
      const text = `${id}: ${labels[i].textContent}`;
      if (parseFloat(getComputedStyle(labels[i]).fontSize) * scale < 8.4) texts.push(`${text} is small`);
      if (r.left < frame.left - 2 || r.right > frame.right + 2 || r.top < frame.top - 3
        || r.bottom > frame.bottom + 3) texts.push(`${text} is outside`);
      if (labels[i].classList.contains("small")) return;
      rects.slice(i + 1).forEach((q, k) => {
        const across = Math.min(r.right, q.right) - Math.max(r.left, q.left);
        const down = Math.min(r.bottom, q.bottom) - Math.max(r.top, q.top);
        if (across > 1.5 && down > r.height * 0.4)
          texts.push(`${text} covers ${labels[i + k + 1].textContent}`);
      });
    });
  }

  const light = (color) => {  // as the contrast of WCAG 2 is computed
    const [r, g, b] = color.match(/[\d.]+/g).map((v) => v / 255)
      .map((v) => (v <= 0.04 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const ground = light(getComputedStyle(document.body).backgroundColor);
  const isFaint = (color) => Math.max(light(color), ground) / Math.min(light(color), ground) < 4.2;
  const words = "p, li, figcaption, h1, pre, pre span, .kicker";
  const faint = [...main.querySelectorAll(words)]
    .filter((e) => e.getClientRects().length && isFaint(getComputedStyle(e).color));
  faint.push(...[...main.querySelectorAll("svg.plot text")]
    .filter((e) => isFaint(getComputedStyle(e).fill)));

  return {
    outside: outside.map(name), widths: widths.map((e) => `${box(e).width} ${name(e)}`),
    cut: cut.map(name), texts, faint: faint.slice(0, 5).map(name),
    contents: { right: contents.right, width: contents.width }, main: { left: box(main).left },
  };
}
