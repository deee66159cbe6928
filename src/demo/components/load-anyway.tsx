import { useEffect, useRef } from "preact/hooks";
import { nameOf, offerOf } from "../catalogue.ts";
import { roughly } from "../format.ts";

interface Props {
  source: string;
  onLoad: () => void;
  onBack: () => void;
}

/** Asks before a long download that is probably in vain. */
export function LoadAnyway({ source, onLoad, onBack }: Props) {
  const back = useRef<HTMLButtonElement>(null);
  useEffect(() => back.current?.focus(), []);
  const size = offerOf(source)?.downloadBytes;
  return (
    <div class="load-anyway dialog-actions" role="alertdialog" aria-labelledby="load-anyway">
      <p id="load-anyway">
        <strong>{nameOf(source)} does not seem to fit this device.</strong>{" "}
        {size && `Its ${roughly(size)} are downloaded before that is certain.`}
      </p>
      <div class="actions end">
        <button ref={back} type="button" autofocus onClick={onBack}>
          Choose another
        </button>
        <button type="button" class="primary" onClick={onLoad}>
          Load anyway
        </button>
      </div>
    </div>
  );
}
