/**
 * Counts the WebGPU devices that a page, frame, worker or service worker requests. It must run there
 * before anything else. It adds itself to the workers that are made there, for which the site serves
 * it as `/count-devices.js`.
 */
export function countDevices(): void {
  const { origin } = globalThis;
  const { GPUAdapter } = globalThis as { GPUAdapter?: typeof globalThis.GPUAdapter };
  if (GPUAdapter) {
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...args) {
      await fetch(`${origin}/devices`, { method: "POST" });
      return Reflect.apply(requestDevice, this, args);
    };
  }

  if (typeof Worker === "undefined") return;
  globalThis.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      const scripts = [`${origin}/count-devices.js`, new URL(url, location.href).href];
      const code =
        options?.type === "module"
          ? scripts.map((script) => `import "${script}";`).join("\n")
          : `importScripts(${scripts.map((script) => `"${script}"`).join(", ")});`;
      super(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), options);
    }
  };
}

/** The same as a script. */
export const COUNT_DEVICES = `(${countDevices.toString()})();\n`;
