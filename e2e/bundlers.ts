import { join } from "node:path";
import nodeResolve from "@rollup/plugin-node-resolve";
import * as esbuild from "esbuild";
import { rollup } from "rollup";
import * as vite from "vite";
import webpack from "webpack";
import { ROOT } from "./root.ts";
import { run } from "./serve-process.ts";

/**
 * Bundles the `main.js` of an app, which its `index.html` runs.
 *
 * @param app the app's folder
 * @param out the folder to write to
 * @returns the bundler's warnings
 */
export type Bundle = (app: string, out: string) => Promise<readonly string[]>;

/** The bundlers at their default settings. */
export const BUNDLERS: Readonly<Record<string, Bundle>> = {
  async esbuild(app, outdir) {
    const { warnings } = await esbuild.build({
      absWorkingDir: app,
      entryPoints: ["main.js"],
      bundle: true,
      splitting: true,
      format: "esm",
      outdir,
      logLevel: "silent",
    });
    return warnings.map(({ text }) => text);
  },

  async rollup(app, dir) {
    const warnings: string[] = [];
    const bundle = await rollup({
      input: join(app, "main.js"),
      plugins: [nodeResolve()],
      onLog: (_level, { message }) => warnings.push(message),
    });
    await bundle.write({ dir });
    await bundle.close();
    return warnings;
  },

  webpack(app, path) {
    const compiler = webpack({
      context: app,
      entry: "./main.js",
      mode: "production",
      output: { path },
      // Webpack warns of any file above 244 kB.
      performance: false,
    });
    return new Promise((resolve, reject) => {
      compiler.run((failure, stats) => {
        const { errors = [], warnings = [] } =
          stats?.toJson({ all: false, errors: true, warnings: true }) ?? {};
        const [error] = [failure, ...errors].filter(Boolean);
        compiler.close(() => {
          if (error) reject(new Error(error.message));
          else resolve(warnings.map(({ message }) => message));
        });
      });
    });
  },

  async parcel(app, out) {
    const command = join(ROOT, "node_modules", "parcel", "lib", "bin.js");
    const options = ["--no-cache", "--no-source-maps", "--no-autoinstall", "--dist-dir", out];
    const args = [command, "build", "index.html", ...options];
    const { code, stdout, stderr } = await run(process.execPath, args, { cwd: app });
    if (code !== 0) throw new Error(stdout + stderr);
    return stderr === "" ? [] : [stderr];
  },

  async vite(app, outDir) {
    const warnings: string[] = [];
    const logger = vite.createLogger("silent");
    const keep = (message: string): void => void warnings.push(message);
    await vite.build({
      root: app,
      configFile: false,
      logLevel: "warn",
      customLogger: { ...logger, warn: keep, warnOnce: keep, error: keep },
      // Vite warns of any file above 500 kB.
      build: { outDir, emptyOutDir: true, chunkSizeWarningLimit: 1000 },
    });
    return warnings;
  },
};
