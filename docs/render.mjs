// Formulas come in on stdin as JSON, [{tex, display}, …]; their HTML, or KaTeX's complaint,
// goes out on stdout in the same order. One process typesets the whole book.
import { readFileSync } from "node:fs";
import katex from "katex";

const answers = JSON.parse(readFileSync(0, "utf8")).map(({ tex, display }) => {
  try {
    return { html: katex.renderToString(tex, { displayMode: display, strict: "error" }) };
  } catch (error) {
    return { error: error.message };
  }
});
process.stdout.write(JSON.stringify(answers));
