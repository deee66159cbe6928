import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where Debian and others describe their Vulkan drivers. */
const FOLDERS = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/**
 * @returns the file that describes lavapipe, Mesa's Vulkan driver for the processor, which has subgroups
 *   and f16; undefined where it is not installed
 */
export function findLavapipe(): string | undefined {
  const files = FOLDERS.flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : [],
  );
  return files.find((file) => /\/lvp_icd\..*json$/.test(file));
}

/** Installs lavapipe as root on Debian, where it is not there. Dawn refuses the version of Debian 12. */
export function installLavapipe(): void {
  if (findLavapipe() || !existsSync("/etc/debian_version") || process.getuid?.() !== 0) return;
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  const packages = ["mesa-vulkan-drivers", "libvulkan1"];
  run("apt-get", "update");
  if (release !== "bookworm") {
    run("apt-get", "install", "-y", ...packages);
    return;
  }
  // The archive that the machine's own sources name.
  const policy = spawnSync("apt-cache", ["policy"], { encoding: "utf8" }).stdout ?? "";
  const archive = /(\S+\/debian\/?) bookworm\/main/.exec(policy)?.[1];
  if (!archive) return;
  const backports = `deb ${archive} bookworm-backports main\n`;
  writeFileSync("/etc/apt/sources.list.d/bookworm-backports.list", backports);
  run("apt-get", "update");
  run("apt-get", "install", "-y", "-t", "bookworm-backports", ...packages);
}

function run(command: string, ...args: string[]): void {
  console.log(`> ${command} ${args.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"], env });
}
