"""A client of `snowroll serve` in the standard library: `python examples/ask_the_server.py URL PICTURE...`

One request a picture, its bytes as they are; `x-source` says where it comes from, which is what drift is told by.
"""

import json
import sys
from pathlib import Path
from urllib.request import Request, urlopen

url, pictures = sys.argv[1].rstrip("/"), map(Path, sys.argv[2:])

with urlopen(f"{url}/v1/model") as answer:
    print(json.load(answer))
for picture in pictures:
    request = Request(f"{url}/v1/predict", picture.read_bytes(), {"content-type": "application/octet-stream"})
    request.add_header("x-source", "camera 7")
    with urlopen(request) as answer:
        (said,) = json.load(answer)["predictions"]
    print(f"{picture}: {said['prediction']}, doubt {said['doubt']:.2f}")
