/** A model that the page offers by name. */
export interface Offer {
  readonly source: string;
  readonly name: string;
  readonly download: string;
  readonly about: string;
}

/** The bundled model's folder, as `?model=` and the model field spell it. */
export const SAMPLE = "./models/sample";

export const OFFERS: readonly Offer[] = [
  {
    source: SAMPLE,
    name: "Sample model",
    download: "13 MB",
    about: "Simple drawings only: shapes, colors, letters and short words.",
  },
  {
    source: "HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
    name: "SmolVLM2 256M",
    download: "0.5 GB",
    about: "Photos, scenes and some text. Quick on most laptops.",
  },
  {
    source: "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
    name: "SmolVLM2 500M",
    download: "1.0 GB",
    about: "Better at detail, counting and reading. Wants a GPU of its own.",
  },
];

/** How a source is called where space is short. */
export function nameOf(source: string): string {
  const offer = OFFERS.find((offer) => offer.source === source);
  return offer?.name ?? source.replace(/[/\\]+$/, "").replace(/^.*\//, "");
}

/** A question about a bundled picture. */
export interface Example {
  readonly picture: string;
  readonly alt: string;
  readonly question: string;
}

/** Questions that the sample model answers rightly, and by a wide margin. */
export const EXAMPLES: readonly Example[] = [
  { picture: "red-circle.png", alt: "A red circle", question: "What's in this image?" },
  {
    picture: "circle-and-star.png",
    alt: "A red circle and a small blue star",
    question: "What color is the star?",
  },
  {
    picture: "four-shapes.png",
    alt: "A triangle, a heart, a square and a moon",
    question: "Where is the moon?",
  },
  {
    picture: "night.png",
    alt: "A yellow moon and a small white star on black",
    question: "Describe the picture.",
  },
  { picture: "word-cat.png", alt: "The word CAT in green", question: "What does it say?" },
  { picture: "letter-b.png", alt: "The letter B in blue", question: "What letter is this?" },
  { picture: "digit-7.png", alt: "The digit 7 in red", question: "What is in this image?" },
  { picture: "landscape.png", alt: "Hills under clouds", question: "What's in this image?" },
];
