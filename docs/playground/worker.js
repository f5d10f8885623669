// Python in a worker of its own: Pyodide, NumPy, minigan's wheel, and playground.py, which
// answers each message {id, ...} with {id, ...}.
import { loadPyodide } from "./pyodide/pyodide.mjs";
import { WHEELS, FILES } from "./files.js";

const at = (name) => new URL(name, import.meta.url).href;
const got = async (name) => {
  const answer = await fetch(at(name));
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
  return answer.arrayBuffer();
};

async function begin() {
  const wheels = WHEELS.map(got), files = FILES.map(got);
  const python = await loadPyodide({ indexURL: at("pyodide/"), packages: ["numpy"] });
  for (const wheel of wheels) python.unpackArchive(await wheel, "wheel");
  for (const [i, name] of FILES.entries())
    python.FS.writeFile(name, new Uint8Array(await files[i]));
  return python.runPython("from playground import answer; answer");
}

const started = begin();
onmessage = async ({ data: { id, ...message } }) => {
  try {
    const answer = (await started)(JSON.stringify(message));
    postMessage({ id, ...JSON.parse(answer) });
  } catch (error) {
    postMessage({ id, error: String(error.message ?? error) });
  }
};
