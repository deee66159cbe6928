"""Ask a server about images: with curl, requests and the openai package.

Usage: tutorial.py <folder of images> <address of the server>
"""

import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading

import openai
import requests

QUESTION = "What's in this image?"
SEVERAL = (
    "Image 1 shows a blue square and a green ring. Image 2 shows a blue square and a green cross."
)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve_images(folder):
    """Returns the address at which the folder's images are."""
    handler = functools.partial(QuietHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def image(url):
    return {"type": "image_url", "image_url": {"url": url}}


def text(words):
    return {"type": "text", "text": words}


def user(*content):
    return [{"role": "user", "content": list(content)}]


def expect(what, actual, expected):
    assert actual.strip() == expected, f"{what}: expected {expected!r}, but got {actual!r}"
    print(f"{what}: {actual.strip()}")


def main():
    images = serve_images(sys.argv[1])
    url = sys.argv[2]
    data = {
        "model": "default",
        "messages": user(text(QUESTION), image(f"{images}/red-circle.png")),
        "max_tokens": 300,
        "temperature": 0,
    }

    if shutil.which("curl"):
        command = ["curl", "-s", f"{url}/v1/chat/completions"]
        command += ["-H", "Content-Type: application/json", "-d", json.dumps(data)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        expect("curl", json.loads(out)["choices"][0]["message"]["content"], "A red circle.")

    response = requests.post(f"{url}/v1/chat/completions", json=data, timeout=300)
    answer = response.json()["choices"][0]["message"]["content"]
    expect("requests", answer, "A red circle.")

    client = openai.OpenAI(base_url=f"{url}/v1", api_key="None", max_retries=0)
    completion = client.chat.completions.create(**data)
    expect("openai", completion.choices[0].message.content, "A red circle.")
    assert completion.usage.completion_tokens > 0

    stream = client.chat.completions.create(**data, stream=True)
    deltas = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert len(deltas) > 3, "the answer came in one piece"
    expect("openai, streamed", "".join(deltas), "A red circle.")

    interleaved = user(
        text("Image 1:"),
        image(f"{images}/before.png"),
        text("Image 2:"),
        image(f"{images}/after.png"),
        text("What is different?"),
    )
    completion = client.chat.completions.create(
        model="default", messages=interleaved, temperature=0
    )
    answer = completion.choices[0].message.content
    expect("openai, several images", answer, SEVERAL)

    try:
        messages = user(text(QUESTION), image(f"{images}/nothing.png"))
        client.chat.completions.create(model="default", messages=messages)
        raise AssertionError("an image that is not there was answered")
    except openai.BadRequestError as error:
        assert error.code == "failed_to_download_image", error
        print(f"openai, no image: {error.body['message']}")


if __name__ == "__main__":
    main()
