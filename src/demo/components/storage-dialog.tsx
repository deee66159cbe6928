import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { LocalModel, StorageUse, StoredModel } from "../../index.ts";
import { closeDialog } from "../dialogs.ts";
import { loadFolder } from "../folders.ts";
import { bytes } from "../format.ts";
import { checkStorage, removeAll, removeModel, forget, keepStored, storage } from "../storage.ts";
import { Dialog } from "./dialog.tsx";

export function StorageDialog() {
  return (
    <Dialog name="storage" title="On this device">
      <Stored />
    </Dialog>
  );
}

function Stored() {
  const sure = useSignal(false);
  useEffect(() => void checkStorage(), []);
  if (!storage.value) return <p class="dialog-body hint">Looking…</p>;
  const { models, folders, use } = storage.value;
  return (
    <div class="dialog-body">
      {models.length === 0 ? (
        <p class="hint">No model is stored.</p>
      ) : (
        <ul class="stored-models" aria-label="Stored models">
          {models.map((model) => (
            <Model key={model.folder} model={model} />
          ))}
        </ul>
      )}
      <Use use={use} />
      {folders.length > 0 && <Folders folders={folders} />}
      <div class="actions end dialog-actions">
        {models.length > 0 && (
          <button
            type="button"
            onClick={() => {
              if (sure.value) void removeAll();
              sure.value = !sure.value;
            }}
          >
            {sure.value ? `Delete all ${models.length} for good` : "Delete all"}
          </button>
        )}
        {!use.persisted && (
          <button type="button" onClick={() => void keepStored()}>
            Keep when the disk is full
          </button>
        )}
        <button type="button" class="primary" onClick={closeDialog}>
          Done
        </button>
      </div>
    </div>
  );
}

function Model({ model }: { model: StoredModel }) {
  const { id, revision, storedAs, storedBytes, totalBytes, lastUsed } = model;
  const details = [
    revision?.slice(0, 8),
    storedAs.join(", "),
    lastUsed && `used ${lastUsed.toLocaleDateString()}`,
  ];
  const size = bytes(storedBytes) + (storedBytes < totalBytes ? ` of ${bytes(totalBytes)}` : "");
  return (
    <li class="stored-model">
      <span class="offer-text">
        <span class="offer-title">
          <strong>{id}</strong>
          <span class="size">{size}</span>
        </span>
        <span class="hint">{details.filter(Boolean).join(" · ")}</span>
      </span>
      <button type="button" aria-label={`Delete ${id}`} onClick={() => void removeModel(id)}>
        Delete
      </button>
    </li>
  );
}

function Use({ use: { usedBytes, quotaBytes, persisted } }: { use: StorageUse }) {
  if (usedBytes === undefined || quotaBytes === undefined) return null;
  return (
    <p class="hint">
      This page uses {bytes(usedBytes)} of the {bytes(quotaBytes)} that the browser allows.{" "}
      {persisted
        ? "The browser keeps them when the disk is full."
        : "The browser may delete them when the disk is full."}
    </p>
  );
}

/** Folders of earlier visits. A click lets the browser ask for permission again. */
function Folders({ folders }: { folders: readonly LocalModel[] }) {
  return (
    <ul class="stored-models" aria-label="Folders">
      {folders.map(({ id, handle }) => (
        <li key={id} class="stored-model">
          <span class="offer-text">
            <strong>{id}</strong>
            <span class="hint">a folder on this device, read in place</span>
          </span>
          <button type="button" onClick={() => loadFolder(handle, id)}>
            Load
          </button>
          <button type="button" aria-label={`Forget ${id}`} onClick={() => void forget(id)}>
            Forget
          </button>
        </li>
      ))}
    </ul>
  );
}
