import { type Example, EXAMPLES, nameOf, OFFERS, SAMPLE } from "../catalogue.ts";
import { askQuestion } from "../chat.ts";
import { loadOrAsk } from "../choose-model.ts";
import { focusBox } from "../compose.ts";
import { show } from "../dialogs.ts";
import { roughly } from "../format.ts";
import { fetchImage } from "../images.ts";
import { model } from "../model.ts";
import { say } from "../notice.ts";

/** The page before the first question: an introduction, and examples to try. */
export function Welcome() {
  const source = model.value.status === "none" ? SAMPLE : model.value.source;
  return (
    <div class="welcome">
      <h2>Ask about an image</h2>
      <p class="lead">
        The model runs in this page, on your own GPU. What you show it never leaves this device.
      </p>
      {source === SAMPLE ? (
        <p class="sample-note">
          <strong>The sample model is tiny.</strong> It knows simple drawings only: shapes, colors,
          letters and short words. Try one of these, or draw your own.
        </p>
      ) : (
        <p class="sample-note">
          <strong>{nameOf(source)}</strong> takes photos of your own, or one of these drawings.
        </p>
      )}
      <ul class="examples" aria-label="Examples">
        {EXAMPLES.map((example) => (
          <li key={example.image}>
            <ExampleButton example={example} />
          </li>
        ))}
      </ul>
      {source === SAMPLE && <RealModels />}
    </div>
  );
}

function ExampleButton({ example: { image, alt, question } }: { example: Example }) {
  const path = `./images/${image}`;
  const tryIt = async () => {
    focusBox();
    try {
      const shown = { ...(await fetchImage(path, image)), name: alt };
      await askQuestion([
        { type: "image", image: shown },
        { type: "text", text: question },
      ]);
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <button type="button" class="example" onClick={tryIt}>
      <span class="example-image">
        <img src={path} alt={alt} />
      </span>
      <span>{question}</span>
    </button>
  );
}

/** The smallest models for photos. The dialog lists the others. */
const SMALL_MODELS = OFFERS.filter(({ source }) => source !== SAMPLE).slice(0, 2);

function RealModels() {
  return (
    <section class="real-models" aria-labelledby="real-models">
      <h3 id="real-models">For photos, load a real model</h3>
      {SMALL_MODELS.map((offer) => (
        <button
          key={offer.source}
          type="button"
          class="real-model"
          onClick={() => void loadOrAsk(offer.source)}
        >
          <span class="offer-title">
            <strong>{offer.name}</strong>
            <span class="size">{roughly(offer.downloadBytes)} download</span>
          </span>
          <span class="hint">{offer.about}</span>
        </button>
      ))}
      <button type="button" class="quiet more-models" onClick={show("model")}>
        More models
      </button>
    </section>
  );
}
