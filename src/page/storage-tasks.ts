/**
 * What a page does with stored models and with folders of the user's disk. A file of its own beside the
 * library, because most pages only load models.
 */
export { forgetHandle, rememberHandle, rememberedHandles } from "./handle-store.ts";
export { deleteModel, deleteModels, listModels, persist, useOfStorage } from "./model-store.ts";
export { readLocalFolder } from "./read-local-folder.ts";
