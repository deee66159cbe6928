import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { LockOptions } from "./platform.ts";

/**
 * Programs that hold the lock of a file, as Python's `filelock` does, until their input ends. Node can't
 * lock files. Another process may delete the file before it is locked; then a new one is locked. Their
 * arguments are the file, and "-s" for a lock that others may share or "-x".
 */
const HOLDERS: readonly (readonly [program: string, ...args: string[]])[] = [
  [
    "perl",
    "-e",
    `use Fcntl ":flock"; $| = 1; my $kind = $ARGV[1] eq "-s" ? LOCK_SH : LOCK_EX;
    while (1) {
      open(F, ">>", $ARGV[0]) or exit 3;
      flock(F, $kind | LOCK_NB) or (print("wait\\n") and flock(F, $kind)) or exit 3;
      my @own = stat F; my @now = stat $ARGV[0];
      last if @now && $own[1] == $now[1];
    }
    print "locked\\n"; <STDIN>;`,
  ],
  [
    "sh",
    "-c",
    `while :; do
      exec 3>>"$0"; flock "$1" -n 3 || { echo wait; flock "$1" 3 || exit 3; }
      [ "$0" -ef /dev/fd/3 ] && break
    done
    echo locked; read end`,
  ],
];

/**
 * Takes the lock of a file. It ends with this process at the latest.
 *
 * @returns the unlock. It does nothing where no program can lock files, as on Windows.
 * @throws the signal's reason
 */
export async function lockFile(path: string, options: LockOptions = {}): Promise<() => void> {
  await mkdir(dirname(path), { recursive: true });
  for (const holder of HOLDERS) {
    const unlock = await hold([...holder, path, options.shared ? "-s" : "-x"], options);
    if (unlock) return unlock;
  }
  return () => {};
}

/** @returns undefined when the program can't be run, or can't lock the file */
function hold(
  [program = "", ...args]: readonly string[],
  { signal, onWait }: LockOptions,
): Promise<(() => void) | undefined> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "ignore"] });
    const abort = (): void => {
      child.kill();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    let waited = false;
    const settle = (unlock?: () => void): void => {
      signal?.removeEventListener("abort", abort);
      if (waited) onWait?.();
      resolve(unlock);
    };
    child.on("error", () => settle());
    child.on("exit", () => settle());
    child.stdin.on("error", () => {}); // It has ended.
    child.stdout.on("data", (data: Buffer) => {
      const text = String(data);
      if (text.includes("locked")) return settle(() => child.kill());
      waited = true;
      onWait?.({});
    });
  });
}
