import { render } from "preact";
import { modelInAddress } from "./address.ts";
import { App } from "./components/app.tsx";
import { loadModel } from "./model.ts";
import { rememberSettings } from "./settings.ts";

rememberSettings();
render(<App />, document.getElementById("app")!);
void loadModel(modelInAddress());
