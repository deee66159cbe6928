import { render } from "preact";
import { modelInAddress } from "./address.ts";
import { loadOrAsk } from "./choose-model.ts";
import { App } from "./components/app.tsx";
import { rememberSettings } from "./settings.ts";

rememberSettings();
render(<App />, document.getElementById("app")!);
void loadOrAsk(modelInAddress());
