// The texts of the book come in on stdin as JSON, [{id, title, page, href, text, weight}, …]; their
// index goes out on stdout. The argument names the script that the page loads too.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const source = readFileSync(process.argv[2], "utf8");
const MiniSearch = createRequire(import.meta.url)("minisearch");
const SEARCH = new Function(`${source}; return SEARCH`).call({ MiniSearch });
const index = new MiniSearch(SEARCH);
index.addAll(JSON.parse(readFileSync(0, "utf8")));
process.stdout.write(JSON.stringify(index));
