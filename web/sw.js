// Keeps the page, its networks and their runtime on the device, so that the page opens offline.
// build.py puts in the names of the files, and a version that changes with any of them.
const VERSION = "$VERSION";
const FILES = $FILES;
const RUNTIMES = $RUNTIMES;

async function keep() {
  const cache = await caches.open(VERSION);
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  await cache.addAll([...FILES, ...RUNTIMES[adapter && !adapter.info.isFallbackAdapter ? "webgpu" : "wasm"]]);
}

async function dropOthers() {
  for (const name of await caches.keys()) if (name !== VERSION) await caches.delete(name);
  await clients.claim();
}

async function answer(request) {
  const kept = await (await caches.open(VERSION)).match(request, { ignoreSearch: true });
  return kept ?? fetch(request);
}

addEventListener("install", (event) => event.waitUntil(keep()));
addEventListener("activate", (event) => event.waitUntil(dropOthers()));
addEventListener("fetch", (event) => event.respondWith(answer(event.request)));
