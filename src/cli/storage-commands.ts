import { freeDiskBytes, openNodeStore } from "../platform/node-store.ts";
import { STORE } from "../weights/cache.ts";
import { type StoredCheckpoint, deleteStored, listStored } from "../weights/stored-checkpoints.ts";
import { type HubEnvironment, hubEnvironment } from "./hub-environment.ts";
import { deleteHubModel, listHubModels, revisionNames } from "./hub-models.ts";
import { openModel } from "./open-model.ts";
import { table } from "./table.ts";
import { bytesText, openTerminal } from "./terminal.ts";

/**
 * `webvlm list`: prints the models on this machine: those in the cache of the hub's Python client, and
 * those that were read from folders on servers.
 *
 * @returns the exit code
 */
export async function listCommand(
  { json }: { readonly json?: boolean | undefined },
  { cache }: Pick<HubEnvironment, "cache"> = hubEnvironment(),
): Promise<number> {
  const models = await storedOnDisk(cache);
  if (json) console.log(JSON.stringify(models, null, 2));
  else console.log(await describe(models, cache));
  return 0;
}

async function storedOnDisk(cache: string): Promise<StoredCheckpoint[]> {
  return [...(await listHubModels(cache)), ...(await listStored(openNodeStore(STORE)))];
}

async function describe(models: readonly StoredCheckpoint[], cache: string): Promise<string> {
  const rows = models.map(async (model) => {
    const { id, revision, storedAs, storedBytes, totalBytes, lastUsed } = model;
    const names = revision ? (await revisionNames(cache, id)).get(revision) : undefined;
    const done = totalBytes > storedBytes ? ` of ${bytesText(totalBytes)}` : "";
    return [
      id,
      names?.join(", ") ?? revision?.slice(0, 8) ?? "",
      storedAs.join(", "),
      bytesText(storedBytes) + done,
      lastUsed?.toISOString().slice(0, 10) ?? "",
    ];
  });
  const free = await freeDiskBytes(cache);
  const header = ["model", "revision", "stored as", "size", "last used"];
  const sum = models.reduce((total, { storedBytes }) => total + storedBytes, 0);
  const room = free === undefined ? "" : `, and ${bytesText(free)} are free`;
  return [
    models.length > 0 ? table([header, ...(await Promise.all(rows))]) : "No model is stored.",
    "",
    `${bytesText(sum)} in ${cache}${room}.`,
  ].join("\n");
}

/**
 * `webvlm rm`: deletes models from this machine.
 *
 * @returns the exit code: 1 when a model is not there, or `--all` is not confirmed
 */
export async function removeCommand(
  names: readonly string[],
  { all = false, yes = false }: { readonly all?: boolean; readonly yes?: boolean },
  { cache }: Pick<HubEnvironment, "cache"> = hubEnvironment(),
): Promise<number> {
  const models = await storedOnDisk(cache);
  const ids = all ? [...new Set(models.map(({ id }) => id))] : names;
  if (ids.length === 0 && !all)
    throw new Error("Name a model, or --all. `webvlm list` lists them.");
  const unknown = ids.filter((id) => !models.some((model) => model.id === id));
  if (unknown.length > 0) {
    throw new Error(`${unknown.join(", ")}: not on this machine. \`webvlm list\` lists what is.`);
  }
  if (all && !yes) {
    // Other programs use the same cache.
    console.error(
      `This deletes ${ids.length} models from ${cache}, those of other programs too: ` +
        `${ids.join(", ") || "none"}. Repeat it with --yes.`,
    );
    return 1;
  }
  for (const id of ids) {
    const own = models.filter((model) => model.id === id);
    await deleteHubModel(cache, id);
    await deleteStored(openNodeStore(STORE), id);
    const bytes = own.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    console.log(`deleted ${id}: ${bytesText(bytes)}`);
  }
  return 0;
}

/**
 * `webvlm pull`: downloads a model, or what has changed of it since.
 *
 * @returns the exit code
 * @throws as `openModel` does
 */
export async function pullCommand(model: string): Promise<number> {
  const { onDownload, onProgress } = openTerminal();
  const checkpoint = await openModel(model, { refresh: true, onDownload, onProgress });
  console.log(`${checkpoint.id} is on this machine: ${bytesText(checkpoint.weightBytes)}`);
  return 0;
}
