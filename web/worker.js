// Runs the networks beside the page, by WebGPU where there is one, else by WebAssembly.
import * as verbs from "./verbs.js";

/** ONNX Runtime, and what it runs networks with. */
async function runtime() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (adapter && !adapter.info.isFallbackAdapter) { // one in software is slower than WebAssembly
    try {
      return [await import("./ort/ort.webgpu.min.mjs"), ["webgpu", "wasm"]];
    } catch {
      // not kept for offline use; WebAssembly is
    }
  }
  return [await import("./ort/ort.wasm.min.mjs"), ["wasm"]];
}

const loading = runtime().then(([ort, providers]) => {
  ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
  ort.env.wasm.numThreads = 1; // more need headers that a plain file server does not send
  return { ort, providers };
});
const sessions = new Map();

/** A network as a function; see verbs.js. */
async function opened(file) {
  const { ort, providers } = await loading;
  if (!sessions.has(file)) {
    sessions.set(file, await ort.InferenceSession.create(file, { executionProviders: providers }));
  }
  const session = sessions.get(file);
  return async (inputs) => {
    const tensors = Object.entries(inputs).map(([name, [data, shape]]) => [name, new ort.Tensor("float32", data, shape)]);
    const made = await session.run(Object.fromEntries(tensors));
    return made[session.outputNames[0]].getData();
  };
}

onmessage = async ({ data: { about, picture, options } }) => {
  try {
    const networks = {};
    for (const [role, file] of Object.entries(about.files)) networks[role] = await opened(file);
    const tell = (part) => postMessage({ part });
    const made = await verbs[about.task](networks, about, picture, options, tell);
    const { providers } = await loading;
    postMessage({ made, by: providers[0] === "webgpu" ? "WebGPU" : "WebAssembly" }, [made.data.buffer]);
  } catch (error) {
    postMessage({ problem: error.message });
  }
};
