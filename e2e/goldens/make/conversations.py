"""Test conversations in OpenAI chat format, varied by a random generator."""

ADJECTIVES = ["red", "small", "bright", "dark", "large", "quiet", "second", "left", "blue", "tall", "thin", "green"]
NOUNS = ["circle", "square", "letter", "shape", "corner", "line", "window", "tree", "word", "cloud", "colour", "frame"]
QUESTIONS = [
    "What is shown in this image?",
    "Describe the {a} {n} in the picture, please.",
    "How many {a} {n}s can you see?",
    "Is there a {a} {n} next to the {b} {m}?",
    "Where is the {n}: left, right, top or bottom?",
    "Read the {a} text and then name the {n}.",
]
PLAIN = [
    "Tell me about the {a} {n} and the {b} {m}.",
    "Why is a {n} not a {m}? Answer briefly.",
    'Count from {i} to {j}; then say "{n}".',
    "¿Qué es un {n}? 它是什么？ Naïve café №{i}!",
]
MORE_QUESTIONS = [
    "Compare the {a} {n} with the {b} {m}; which is larger?",
    "Name {i} things.\n\n1. the {n}\n2. the {m}\n",
    "  Is it a {n}?  ",
    "Was siehst du hier: {n}, {m}? 这张图片里有什么？",
    "{n}, {m}, {j}: what do they share?",
]
SYSTEMS = ["You are a helpful assistant.", "Answer briefly and name the {n} first.", "You only see {a} things."]


def image(name: str) -> dict:
    return {"type": "image_url", "image_url": {"url": f"images/{name}"}}


def text(value: str) -> dict:
    return {"type": "text", "text": value}


class Writer:
    """Fills sentence patterns with random words."""

    def __init__(self, rng, variant: int = 0):
        self.rng = rng
        self.questions = QUESTIONS if variant == 0 else MORE_QUESTIONS

    def say(self, patterns: list[str]) -> str:
        def pick(words):
            return words[int(self.rng.integers(len(words)))]

        pattern = pick(patterns)
        return pattern.format(
            a=pick(ADJECTIVES), b=pick(ADJECTIVES), n=pick(NOUNS), m=pick(NOUNS),
            i=int(self.rng.integers(1, 99)), j=int(self.rng.integers(100, 2500)),
        )  # fmt: skip

    def ask(self) -> str:
        return self.say(self.questions)


def user(*parts) -> dict:
    return {"role": "user", "content": list(parts)}


def text_only(w):
    return [{"role": "user", "content": w.say(PLAIN)}]


def image_first(w):
    return [user(image("shapes.png"), text(w.ask()))]


def image_last(w):
    return [user(text(w.ask() + " "), image("tall.png"))]


def two_images(w):
    return [user(text("First "), image("wide.png"), text(" and then "), image("gradient.png"), text(". " + w.ask()))]


def two_turns(w):
    return [
        user(image("photo.jpg"), text(w.ask())),
        {"role": "assistant", "content": w.say(["A {a} {n}.", "The {n} is {a} and {b}.", "I see {i} {n}s."])},
        user(text(w.ask())),
    ]


def two_turns_image_each(w):
    return [
        user(image("noise.png"), text(w.ask())),
        {"role": "assistant", "content": [text(w.say(["A {a} {n}.", "The {n} is {a} and {b}."]))]},
        user(text(w.ask()), image("alpha.png")),
    ]


def with_system(w):
    return [{"role": "system", "content": w.say(SYSTEMS)}, user(image("odd.png"), text(w.ask()))]


def large_image(w):
    return [user(image("large.png"), text(w.ask()))]


def rotated_image(w):
    return [user(image("rotated.jpg"), text(w.ask()))]


def odd_image(w):
    return [user(image("odd.png"), text(w.ask()))]


def webp_image(w):
    return [user(image("flat.webp"), text(w.ask()))]


def system_text(w):
    return [{"role": "system", "content": w.say(SYSTEMS)}, {"role": "user", "content": w.say(PLAIN)}]


def long_text(w):
    """A text prompt of more than two chunks of the delta rule (64 tokens each)."""
    return [{"role": "user", "content": "\n".join(w.say(PLAIN + MORE_QUESTIONS) for _ in range(5))}]


def long_image(w):
    """Text before and after an image, long enough for several chunks and windows."""
    before = " ".join(w.ask() for _ in range(3)) + "\n"
    return [user(text(before), image("photo.jpg"), text(" " + w.ask() + " " + w.say(PLAIN)))]


def three_turns(w):
    """Several turns with images in the first and the third."""
    said = ["A {a} {n}.", "The {n} is {a} and {b}.", "I see {i} {n}s."]
    return [
        {"role": "system", "content": w.say(SYSTEMS)},
        user(image("shapes.png"), text(w.ask())),
        {"role": "assistant", "content": w.say(said)},
        user(text(w.ask())),
        {"role": "assistant", "content": [text(w.say(said))]},
        user(text(w.ask()), image("gradient.png")),
    ]


LONG_CASES = {
    "long": (long_text, (40, 49)),
    "long_image": (long_image, (40, 49)),
    "three_turns": (three_turns, (16, 25)),
}


def plan(checkpoint) -> list[tuple]:
    """(case name, builder) pairs that suit the family."""
    cases = []
    if checkpoint.text_only:
        cases.append(("text", text_only))
    cases += [("image", image_first)]
    if checkpoint.interleaved:
        cases.append(("image_last", image_last))
    if checkpoint.multi_image:
        cases.append(("two_images", two_images))
    if checkpoint.text_only:
        cases.append(("two_turns", two_turns_image_each if checkpoint.multi_image and checkpoint.tiled else two_turns))
    if checkpoint.system:
        cases.append(("system", with_system))
    elif checkpoint.text_only:
        cases.append(("system_text", system_text))
    else:
        cases += [("odd", odd_image), ("webp", webp_image)]
    if checkpoint.tiled:
        cases.append(("large", large_image))
    else:
        cases.append(("rotated", rotated_image))
    if checkpoint.cases:
        cases = [case for case in cases if case[0] in checkpoint.cases]
    if checkpoint.parts_only:
        cases = [(name, in_parts(builder)) for name, builder in cases]
    return cases


def in_parts(builder):
    """The same conversation with lists of parts in place of strings."""

    def build(writer):
        messages = builder(writer)
        for message in messages:
            if isinstance(message["content"], str):
                message["content"] = [text(message["content"])]
        return messages

    return build
